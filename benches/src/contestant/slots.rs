//! The records that one side has sealed, and the other is to open.

use anyhow::ensure;

use super::ours::BUFFER;

/// Records side by side in memory, each with its length.
#[derive(Default)]
pub(super) struct Slots {
    buffers: Vec<[u8; BUFFER]>,
    lengths: Vec<usize>,
    next: usize,
    payload: Vec<u8>,
}

impl Slots {
    /// Room for so many records, none of which has been opened.
    pub(super) fn begin(&mut self, count: usize) -> impl Iterator<Item = (&mut [u8], &mut usize)> {
        self.buffers.resize(self.buffers.len().max(count), [0; BUFFER]);
        self.lengths.resize(self.lengths.len().max(count), 0);
        self.next = 0;
        let buffers = self.buffers.iter_mut().map(<[u8; BUFFER]>::as_mut_slice);
        buffers.zip(&mut self.lengths).take(count)
    }

    /// Opens the next records in place, by `open`, and keeps the payload of the last one.
    ///
    /// # Errors
    /// What `open` says, and if there are fewer.
    pub(super) fn open(
        &mut self,
        count: usize,
        mut open: impl for<'d> FnMut(&'d mut [u8]) -> anyhow::Result<&'d mut [u8]>,
    ) -> anyhow::Result<()> {
        let records = self.buffers.iter_mut().zip(&self.lengths).skip(self.next).take(count);
        self.next += count;
        let mut opened = 0;
        for (buffer, length) in records {
            let payload = open(buffer.get_mut(..*length).unwrap_or_default())?;
            opened += 1;
            if opened == count {
                self.payload.clear();
                self.payload.extend_from_slice(payload);
            }
        }
        ensure!(opened == count, "there are {opened} records, not {count}");
        Ok(())
    }

    /// The payload of the record that was opened last.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// How long the records are.
    pub(super) fn length(&self) -> usize {
        self.lengths.first().copied().unwrap_or_default()
    }
}
