//! Writes files on a thread of its own, so that a slow disk never holds up a role.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use iot_crypto::crypto::{KeyLog, KeyLogLabel, Provider};

use crate::capture::{Capture, Captured};
use crate::key_log::KeyLogLine;

/// How many bytes of payload wait to be written at the most. What comes then is
/// missing, and counted.
const MAX_WAITING: usize = 8 << 20;
/// Room for secrets besides: without one, all of its session would be missing.
const MAX_WAITING_SECRETS: usize = MAX_WAITING + (1 << 20);
/// What a datagram or a secret takes in the queue besides its payload, in bytes.
const ENTRY: usize = 256;

/// How long what waits may take to be written at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a file is written to.
pub type Sink = Box<dyn Write + Send>;

/// Files that are written while a role runs.
#[derive(Debug)]
pub struct Recording {
    tap: Tap,
    done: Receiver<()>,
}

/// Takes what is to be recorded. Copies record into the same files; the default
/// one records nothing.
#[derive(Clone, Debug, Default)]
pub struct Tap(Option<Inlet>);

#[derive(Clone, Debug)]
struct Inlet {
    sender: Sender<Message>,
    state: Arc<State>,
    takes_datagrams: bool,
}

/// What both ends of the queue know.
#[derive(Debug, Default)]
struct State {
    /// Bytes that wait.
    waiting: AtomicUsize,
    /// Datagrams that are missing since the last one that was taken.
    missing: AtomicU64,
    /// Whether the log told that secrets are missing.
    lacks_secrets: AtomicBool,
}

/// What is to be written.
enum Message {
    Secret(KeyLogLine),
    Datagram(Owned),
    End,
}

struct Owned {
    at: SystemTime,
    inbound: bool,
    from: SocketAddr,
    to: SocketAddr,
    payload: Vec<u8>,
    missing: u64,
}

impl Message {
    fn size(&self) -> usize {
        match self {
            Self::Datagram(datagram) => datagram.payload.len().saturating_add(ENTRY),
            Self::Secret(_) => ENTRY,
            Self::End => 0,
        }
    }
}

impl Recording {
    /// Starts to write a key log, a capture, or both. `provider` opens what the
    /// secrets protect; `application` is the name of the program, for the capture.
    ///
    /// A file that can't be written any more ends there, which the log tells once;
    /// the role notices nothing. What was written is in the files whenever nothing
    /// more waits.
    ///
    /// # Errors
    /// Those of the files, and of the operating system if it gives no thread.
    pub fn start<P>(
        provider: P,
        key_log: Option<Sink>,
        capture: Option<Sink>,
        application: &str,
    ) -> std::io::Result<Self>
    where
        P: Provider<AeadKey: Send> + Send + 'static,
    {
        let (sender, receiver) = channel();
        let (tell_done, done) = channel();
        let state = Arc::new(State::default());
        let takes_datagrams = capture.is_some();
        let capture = match capture {
            Some(file) => Some(Capture::new(file, provider, application)?),
            None => None,
        };
        let files = Files { key_log, capture, is_behind: false };
        let inlet = Inlet { sender, state: state.clone(), takes_datagrams };
        thread::Builder::new().name("recording".to_owned()).spawn(move || {
            files.write_all(&receiver, &state);
            // Whoever waits for it may have lost patience.
            let _ = tell_done.send(());
        })?;
        Ok(Self { tap: Tap(Some(inlet)), done })
    }

    /// What takes what is to be recorded.
    #[must_use]
    pub fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// Ends it, when all that waits is written, or after two seconds.
    pub fn end(self) {
        if let Some(inlet) = &self.tap.0 {
            // If nobody receives, it has ended.
            let _ = inlet.sender.send(Message::End);
        }
        if self.done.recv_timeout(PATIENCE).is_err() {
            tracing::warn!("not all of the recording could be written in time");
        }
    }
}

impl Tap {
    /// Whether datagrams are recorded: whether there is a capture.
    #[must_use]
    pub fn takes_datagrams(&self) -> bool {
        self.0.as_ref().is_some_and(|inlet| inlet.takes_datagrams)
    }

    /// Records a datagram.
    pub fn datagram(&self, datagram: &Captured<'_>) {
        let Some(inlet) = self.0.as_ref().filter(|inlet| inlet.takes_datagrams) else { return };
        let &Captured { at, inbound, from, to, payload } = datagram;
        if inlet.state.waiting.load(Ordering::Relaxed) >= MAX_WAITING {
            inlet.state.missing.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let missing = inlet.state.missing.swap(0, Ordering::Relaxed);
        let payload = payload.to_vec();
        inlet.send(Message::Datagram(Owned { at, inbound, from, to, payload, missing }));
    }
}

impl KeyLog for Tap {
    fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        let Some(inlet) = &self.0 else { return };
        let Some(line) = KeyLogLine::new(label, client_random, secret) else { return };
        if inlet.state.waiting.load(Ordering::Relaxed) < MAX_WAITING_SECRETS {
            inlet.send(Message::Secret(line));
        } else if !inlet.state.lacks_secrets.swap(true, Ordering::Relaxed) {
            tracing::warn!("the recording can't keep up, and secrets of sessions are missing");
        }
    }
}

impl Inlet {
    fn send(&self, message: Message) {
        self.state.waiting.fetch_add(message.size(), Ordering::Relaxed);
        // If nobody receives, the recording has ended, as the log said.
        let _ = self.sender.send(message);
    }
}

/// The files, on their thread.
struct Files<P: Provider> {
    key_log: Option<Sink>,
    capture: Option<Capture<Sink, P>>,
    /// Whether the log told that datagrams are missing.
    is_behind: bool,
}

impl<P: Provider> Files<P> {
    /// Writes until the end, or until there is no file left.
    fn write_all(mut self, receiver: &Receiver<Message>, state: &State) {
        while self.key_log.is_some() || self.capture.is_some() {
            let message = match receiver.try_recv() {
                Ok(message) => message,
                Err(_) => {
                    self.flush();
                    let Ok(message) = receiver.recv() else { break };
                    message
                }
            };
            state.waiting.fetch_sub(message.size(), Ordering::Relaxed);
            match message {
                Message::Secret(line) => self.secret(&line),
                Message::Datagram(datagram) => self.datagram(&datagram),
                Message::End => break,
            }
        }
        self.flush();
        if let Some(Err(error)) = self.capture.map(Capture::finish) {
            tracing::error!(%error, "the end of the capture could not be written");
        }
    }

    fn secret(&mut self, line: &KeyLogLine) {
        if let Some(file) = &mut self.key_log {
            // At once, in one piece: other programs may read and write it.
            let written = file.write_all(line.text().as_bytes());
            give_up_on_error(&mut self.key_log, "key log", written);
        }
        if let Some(capture) = &mut self.capture {
            let written = capture.secret(line);
            give_up_on_error(&mut self.capture, "capture", written);
        }
    }

    fn datagram(&mut self, datagram: &Owned) {
        let Owned { at, inbound, from, to, ref payload, missing } = *datagram;
        if missing > 0 && !self.is_behind {
            self.is_behind = true;
            tracing::warn!(
                "the capture can't keep up, and datagrams are missing in it; the packets behind \
                 each gap tell how many"
            );
        }
        if let Some(capture) = &mut self.capture {
            let written = capture.datagram(&Captured { at, inbound, from, to, payload }, missing);
            give_up_on_error(&mut self.capture, "capture", written);
        }
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.key_log {
            let written = file.flush();
            give_up_on_error(&mut self.key_log, "key log", written);
        }
        if let Some(capture) = &mut self.capture {
            let written = capture.flush();
            give_up_on_error(&mut self.capture, "capture", written);
        }
    }
}

fn give_up_on_error<T>(file: &mut Option<T>, what: &str, written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::error!(%error, "the {what} ends here; all else goes on");
        *file = None;
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::testing::provider;

    /// A file: what was written, in how many pieces, and how many fit before it is
    /// full, once.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<Contents>>);

    #[derive(Default)]
    struct Contents {
        bytes: Vec<u8>,
        pieces: usize,
        full_after: Option<usize>,
    }

    impl Disk {
        fn bytes(&self) -> Vec<u8> {
            self.0.lock().unwrap().bytes.clone()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut contents = self.0.lock().unwrap();
            if contents.full_after == Some(contents.pieces) {
                contents.full_after = None;
                return Err(io::ErrorKind::StorageFull.into());
            }
            contents.pieces += 1;
            contents.bytes.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn datagram(payload: &[u8]) -> Captured<'_> {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (from, to) = (address(1), address(2));
        Captured { at: SystemTime::UNIX_EPOCH, inbound: true, from, to, payload }
    }

    fn log(tap: &Tap, random: u8) {
        tap.log_secret(KeyLogLabel::ClientRandom, &[random; 32], &[7; 48]);
    }

    #[test]
    fn both_files_hold_what_was_recorded() {
        let (keys, capture) = (Disk::default(), Disk::default());
        let sinks = [&keys, &capture].map(|disk| Some(Box::new(disk.clone()) as Sink));
        let [key_log, packets] = sinks;
        let recording = Recording::start(provider(1), key_log, packets, "test").unwrap();
        let tap = recording.tap();
        log(&tap, 0xaa);
        tap.datagram(&datagram(b"a datagram"));
        recording.end();
        let line = format!("CLIENT_RANDOM {} {}\n", "aa".repeat(32), "07".repeat(48));
        assert_eq!(String::from_utf8(keys.bytes()).unwrap(), line);
        let capture = capture.bytes();
        let holds = |part: &[u8]| capture.windows(part.len()).any(|window| window == part);
        assert!(holds(b"a datagram") && holds(line.as_bytes()));
        // It has ended: nothing more is taken, and nobody waits.
        tap.datagram(&datagram(b"late"));
    }

    #[test]
    fn a_capture_without_a_key_log_writes_none_and_the_other_way_round() {
        let disk = Disk::default();
        let recording =
            Recording::start(provider(1), Some(Box::new(disk.clone())), None, "test").unwrap();
        recording.tap().datagram(&datagram(b"a datagram"));
        recording.end();
        assert!(disk.bytes().is_empty());
        // The tap of nobody.
        log(&Tap::default(), 1);
        Tap::default().datagram(&datagram(b"a datagram"));
    }

    #[test]
    fn a_full_disk_ends_one_file_and_not_the_other() {
        let (keys, capture) = (Disk::default(), Disk::default());
        capture.0.lock().unwrap().full_after = Some(20);
        let sinks = [&keys, &capture].map(|disk| Some(Box::new(disk.clone()) as Sink));
        let [key_log, packets] = sinks;
        let recording = Recording::start(provider(1), key_log, packets, "test").unwrap();
        let tap = recording.tap();
        for number in 0..100 {
            tap.datagram(&datagram(b"a datagram"));
            log(&tap, number);
        }
        recording.end();
        assert_eq!(keys.bytes().iter().filter(|byte| **byte == b'\n').count(), 100);
        // What came after the gap would be no capture any more.
        assert_eq!(capture.0.lock().unwrap().pieces, 20);
    }

    /// A file that is not written before it is let go.
    struct Stuck(Receiver<()>, Disk);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // It is let go for good when the other end is dropped.
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_disk_costs_limited_memory_and_the_gap_is_told() {
        let (let_go, stuck) = channel();
        let disk = Disk::default();
        // The key log holds the thread up; the header of the capture is written before.
        let slow: Sink = Box::new(Stuck(stuck, Disk::default()));
        let recording =
            Recording::start(provider(1), Some(slow), Some(Box::new(disk.clone())), "test")
                .unwrap();
        let tap = recording.tap();
        log(&tap, 1);
        let large = vec![b'x'; 60_000];
        let fits = MAX_WAITING.div_ceil(large.len() + ENTRY);
        for _ in 0..2 * fits {
            tap.datagram(&datagram(&large));
        }
        let waiting = tap.0.as_ref().unwrap().state.waiting.load(Ordering::Relaxed);
        assert!(waiting <= MAX_WAITING + large.len() + 2 * ENTRY, "{waiting}");
        // A secret still has room.
        log(&tap, 0xbb);
        drop(let_go);
        while tap.0.as_ref().unwrap().state.waiting.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        tap.datagram(&datagram(b"after the gap"));
        recording.end();
        let written = disk.bytes();
        let holds = |part: &[u8]| written.windows(part.len()).any(|window| window == part);
        assert!(holds("bb".repeat(32).as_bytes()));
        // The option that tells how many are missing: all that did not fit. The first
        // line may have been taken from the queue before the datagrams came.
        let missing = |count: usize| {
            let mut option = vec![4, 0, 8, 0];
            option.extend_from_slice(&u64::try_from(count).unwrap().to_le_bytes());
            holds(&option)
        };
        assert!(missing(fits) || missing(fits + 1), "{fits}");
    }
}
