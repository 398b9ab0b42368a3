//! Files: read with a limit, written as a whole or not at all, and private ones
//! kept from other people's eyes.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The longest file that is read, in bytes: many times what the fullest trust
/// file has.
pub const MAX_LEN: u64 = 4 << 20;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only its owner: mode 0600.
    Private,
    /// Everybody, as far as the umask allows.
    Public,
}

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing fails.
    Keep,
    /// It is replaced.
    Replace,
}

impl Existing {
    /// [`Existing::Replace`] if `force`.
    #[must_use]
    pub const fn with_force(force: bool) -> Self {
        if force { Self::Replace } else { Self::Keep }
    }
}

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refuses to have it read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system refuses to have it written.
    #[error("can't write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is there already and was not to be replaced.
    #[error("{} exists already; give --force to replace it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is there already, and there is no option to replace it.
    #[error("{} exists already; choose another name, or remove it", path.display())]
    Present {
        /// The file.
        path: PathBuf,
    },
    /// A private file can be read by others than its owner.
    #[error(
        "{} is private but others can read it (mode {mode:04o}); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file has more than [`MAX_LEN`] bytes.
    #[error("{} is too long to be a file of this program", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// Whether the caller can mend it by asking differently, so that it is not
    /// the fault of a disk.
    #[must_use]
    pub const fn is_mistake(&self) -> bool {
        matches!(self, Self::Exists { .. } | Self::Present { .. } | Self::NotPrivate { .. })
    }
}

/// Opens a private file that grows while a program runs, to write at its end. It is
/// made if it is not there, and refused if it is and others can read or write it.
///
/// # Errors
/// [`FileError`].
pub fn append_private(path: &Path) -> Result<File, FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    let file =
        OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    check_private(path, &file).map(|()| file)
}

/// Makes a private file, which must not be there, to be filled while a program runs.
///
/// # Errors
/// [`FileError::Present`], [`FileError::Write`].
pub fn create_private(path: &Path) -> Result<File, FileError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::AlreadyExists => FileError::Present { path },
            _ => FileError::Write { path, source },
        }
    })
}

/// Refuses an open file that group or others can read or write. What is no file,
/// such as a terminal, has no such permissions.
fn check_private(path: &Path, file: &File) -> Result<(), FileError> {
    let metadata =
        file.metadata().map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    let mode = metadata.mode() & 0o7777;
    if metadata.is_file() && mode & 0o077 != 0 {
        return Err(FileError::NotPrivate { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Reads a text file. What is `access`ed as private is refused if group or
/// others can read or write it; the check is made on the open file, so that it
/// can't be exchanged in between.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, access: Access) -> Result<Zeroizing<String>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    if access == Access::Private {
        check_private(path, &file)?;
    }
    read_limited(&mut file)
        .map_err(failed)?
        .ok_or_else(|| FileError::TooLong { path: path.to_owned() })
}

/// Reads `source` to its end; `None` if it has more than [`MAX_LEN`] bytes.
///
/// # Errors
/// What `source` gives; [`io::ErrorKind::InvalidData`] if it is not UTF-8.
pub fn read_limited(source: &mut impl io::Read) -> io::Result<Option<Zeroizing<String>>> {
    // So large that no private file makes it grow, which would leave copies
    // behind that nobody erases.
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let length = source.take(MAX_LEN + 1).read_to_string(&mut text)?;
    Ok((u64::try_from(length).is_ok_and(|length| length <= MAX_LEN)).then_some(text))
}

/// Writes a file as a whole: whoever reads it meanwhile, and whatever happens,
/// finds either what was there before or all of `contents`. It is on the disk
/// when this returns.
///
/// # Errors
/// [`FileError::Exists`], [`FileError::Write`].
pub fn write(
    path: &Path,
    contents: &(impl AsRef<[u8]> + ?Sized),
    access: Access,
    existing: Existing,
) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    let mode = match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    };
    let directory = directory_of(path);
    let mut file = tempfile::Builder::new()
        .prefix(".iot-crypto-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)
        .map_err(failed)?;
    file.write_all(contents.as_ref()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match existing {
        Existing::Replace => file.persist(path).map(drop).map_err(|error| failed(error.error))?,
        Existing::Keep => {
            file.persist_noclobber(path).map(drop).map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => FileError::Exists { path: path.to_owned() },
                _ => failed(error.error),
            })?;
        }
    }
    // The new name is on the disk only when the directory is.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

/// Refuses what [`write()`] would refuse, before anything is written.
///
/// # Errors
/// [`FileError::Exists`].
pub fn check_absent(path: &Path, existing: Existing) -> Result<(), FileError> {
    if existing == Existing::Keep && path.symlink_metadata().is_ok() {
        return Err(FileError::Exists { path: path.to_owned() });
    }
    Ok(())
}

/// Holds the directory of `path` until the result is dropped, so that of two
/// programs that read, change and write the same file, neither loses what the
/// other did.
///
/// # Errors
/// [`FileError::Write`].
pub fn lock(path: &Path) -> Result<File, FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    let directory = File::open(directory_of(path)).map_err(failed)?;
    directory.lock().map_err(failed)?;
    Ok(directory)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_made_private_and_read_only_while_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        write(&path, "x", Access::Private, Existing::Keep).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(read(&path, Access::Private).unwrap().as_str(), "x");
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = read(&path, Access::Private).unwrap_err();
            assert!(error.is_mistake());
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        assert!(read(&path, Access::Public).is_ok());
    }

    #[test]
    fn a_file_that_grows_is_private_and_nothing_in_it_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("grows");
        for text in ["one", "two"] {
            append_private(&path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(read(&path, Access::Private).unwrap().as_str(), "onetwo");
        assert!(create_private(&path).unwrap_err().is_mistake());
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(append_private(&path).unwrap_err().to_string().contains("chmod 600"));
        assert_eq!(read(&path, Access::Public).unwrap().as_str(), "onetwo");
        let new = directory.path().join("new");
        create_private(&new).unwrap();
        assert_eq!(new.metadata().unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_it_is_to_be_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write(&path, "first", Access::Public, Existing::Keep).unwrap();
        assert!(check_absent(&path, Existing::Keep).is_err());
        assert!(write(&path, "second", Access::Public, Existing::Keep).unwrap_err().is_mistake());
        assert_eq!(read(&path, Access::Public).unwrap().as_str(), "first");
        write(&path, "second", Access::Public, Existing::Replace).unwrap();
        assert_eq!(read(&path, Access::Public).unwrap().as_str(), "second");
        assert_eq!(directory.path().read_dir().unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_file_without_end_is_not_read() {
        assert!(matches!(
            read(Path::new("/dev/zero"), Access::Public),
            Err(FileError::TooLong { .. })
        ));
    }
}
