//! The driver between a role and a stack that do what a test has set up.

use std::collections::VecDeque;
use std::vec::Vec;

use iot_crypto::endpoint::LocalPort;
use iot_crypto::time::Deadline;

use super::*;
use crate::udp::Received;

const PEER: SocketAddr =
    SocketAddr::V4(core::net::SocketAddrV4::new(core::net::Ipv4Addr::new(192, 0, 2, 1), 9));

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

#[derive(Default)]
struct Role {
    outbox: VecDeque<(Destination<SocketAddr>, Vec<u8>)>,
    inbox: Vec<Vec<u8>>,
    /// Whether each datagram makes an event; and how many wait.
    makes_events: bool,
    events: usize,
    deadline: Option<Instant>,
    timeouts: Vec<Instant>,
}

impl Role {
    fn sends(&mut self, lengths: &[usize]) {
        let datagrams =
            lengths.iter().map(|length| (Destination::Address(PEER), std::vec![7; *length]));
        self.outbox.extend(datagrams);
    }
}

impl Endpoint for Role {
    type Address = SocketAddr;

    fn handle_datagram(&mut self, _: Instant, _: LocalPort, _: SocketAddr, datagram: &mut [u8]) {
        self.events += usize::from(self.makes_events);
        self.inbox.push(datagram.to_vec());
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            self.timeouts.push(now);
        }
    }

    fn poll_transmit(
        &mut self,
        _: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<SocketAddr>>, BufferTooSmall> {
        let Some((to, payload)) = self.outbox.front() else { return Ok(None) };
        let (to, length) = (*to, payload.len());
        buffer.get_mut(..length).ok_or(BufferTooSmall { needed: length })?.copy_from_slice(payload);
        self.outbox.pop_front();
        Ok(Some(Transmit { from: LocalPort::FirstClient, to, length }))
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.events > 0 || !self.outbox.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        self.deadline.map(|at| Deadline::new(at, Reason::Expiry))
    }
}

/// A stack whose send buffer holds one datagram, until a test takes it out.
#[derive(Default)]
struct Stack {
    arrived: VecDeque<Vec<u8>>,
    sent: Vec<(SocketAddr, usize)>,
    /// Whether what is sent leaves at once.
    blocked: bool,
    waits: bool,
    without_v6: bool,
    deadline: Option<Instant>,
}

impl Udp for Stack {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let payload = self.arrived.pop_front()?;
        buffer[..payload.len()].copy_from_slice(&payload);
        Some(Received { port: LocalPort::FirstClient, from: PEER, length: payload.len() })
    }

    fn send(&mut self, _: LocalPort, to: SocketAddr, payload: &[u8]) -> Result<(), SendError> {
        if self.waits {
            return Err(SendError::Full);
        }
        self.waits = self.blocked;
        self.sent.push((to, payload.len()));
        Ok(())
    }

    fn has_room(&mut self) -> bool {
        !self.waits
    }

    fn discard(&mut self) -> u64 {
        u64::from(core::mem::take(&mut self.waits))
    }

    fn has_address_for(&self, to: SocketAddr) -> bool {
        to.is_ipv4() || !self.without_v6
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.deadline
    }
}

fn driver() -> Driver<600> {
    Driver::new(Config { burst: 4, ..Config::default() }).unwrap()
}

#[test]
fn a_flood_is_taken_in_bursts_and_what_is_due_is_done_in_each_turn() {
    let (mut driver, mut stack) = (driver(), Stack::default());
    let mut role = Role { deadline: Some(at(5)), ..Role::default() };
    stack.arrived.extend((0..10).map(|number| std::vec![number; 3]));
    let turn = driver.turn(at(5), &mut stack, &mut role).unwrap();
    assert_eq!((turn.received, turn.wake), (4, Some(at(5))));
    assert_eq!(role.timeouts, [at(5)]);
    driver.turn(at(5), &mut stack, &mut role).unwrap();
    let turn = driver.turn(at(5), &mut stack, &mut role).unwrap();
    assert_eq!((turn.received, turn.wake), (2, None));
    assert_eq!(role.inbox.len(), 10);
}

#[test]
fn the_earlier_deadline_wakes_and_never_one_in_the_past() {
    let (mut driver, mut stack) = (driver(), Stack::default());
    let mut role = Role { deadline: Some(at(70)), ..Role::default() };
    let mut wake = |stack: &mut Stack, now| driver.turn(at(now), stack, &mut role).unwrap().wake;
    assert_eq!(wake(&mut stack, 1), Some(at(70)));
    stack.deadline = Some(at(40));
    assert_eq!(wake(&mut stack, 2), Some(at(40)));
    assert_eq!(wake(&mut stack, 50), Some(at(50)));
    stack.deadline = None;
    assert_eq!(wake(&mut stack, 70), None);
}

#[test]
fn an_event_ends_the_turn_before_the_next_datagram() {
    let (mut driver, mut stack) = (driver(), Stack::default());
    let mut role = Role { makes_events: true, ..Role::default() };
    stack.arrived.extend([std::vec![1], std::vec![2]]);
    for taken in 1..=2 {
        let turn = driver.turn(at(1), &mut stack, &mut role).unwrap();
        assert_eq!((turn.received, turn.wake), (1, Some(at(1))));
        assert_eq!((role.inbox.len(), role.events), (taken, 1));
        role.events = 0;
    }
}

#[test]
fn without_room_datagrams_stay_with_the_role_until_what_blocks_them_is_dropped() {
    let (mut driver, mut role) = (driver(), Role::default());
    let mut stack = Stack { blocked: true, ..Stack::default() };
    role.sends(&[1]);
    let turn = driver.turn(at(0), &mut stack, &mut role).unwrap();
    assert_eq!((turn.sent, turn.wake), (1, None), "nothing waits behind the one that is held");
    driver.turn(at(1000), &mut stack, &mut role).unwrap();
    assert_eq!(driver.drops(), Drops::default());

    role.sends(&[2, 3]);
    let turn = driver.turn(at(1000), &mut stack, &mut role).unwrap();
    assert_eq!((turn.sent, turn.wake), (0, Some(at(1100))));
    let turn = driver.turn(at(1099), &mut stack, &mut role).unwrap();
    assert_eq!((turn.sent, turn.wake), (0, Some(at(1100))));
    let turn = driver.turn(at(1100), &mut stack, &mut role).unwrap();
    assert_eq!((turn.sent, turn.wake), (1, Some(at(1200))));
    assert_eq!(driver.drops(), Drops { blocked: 1, ..Drops::default() });

    (stack.blocked, stack.waits) = (false, false);
    let turn = driver.turn(at(1150), &mut stack, &mut role).unwrap();
    assert_eq!((turn.sent, turn.wake), (1, None));
    assert_eq!(stack.sent, [(PEER, 1), (PEER, 2), (PEER, 3)]);
    assert_eq!(driver.drops().blocked, 1);
}

#[test]
fn while_the_role_is_held_datagrams_and_deadlines_go_on() {
    let (mut driver, mut stack) = (driver(), Stack { waits: true, ..Stack::default() });
    let mut role = Role { deadline: Some(at(10)), ..Role::default() };
    role.outbox.push_back((Destination::Address(PEER), std::vec![1]));
    driver.turn(at(0), &mut stack, &mut role).unwrap();
    stack.arrived.extend([std::vec![1], std::vec![2]]);
    let turn = driver.turn(at(10), &mut stack, &mut role).unwrap();
    assert_eq!((role.inbox.len(), role.timeouts.as_slice()), (1, [at(10)].as_slice()));
    assert_eq!(turn.wake, Some(at(10)), "there is another one");
    driver.turn(at(10), &mut stack, &mut role).unwrap();
    let turn = driver.turn(at(10), &mut stack, &mut role).unwrap();
    assert_eq!((role.inbox.len(), turn.wake), (2, Some(at(100))));
}

#[test]
fn everyone_is_reached_in_each_family_that_the_stack_has() {
    let (mut driver, mut stack, mut role) = (driver(), Stack::default(), Role::default());
    let mut reached = |stack: &mut Stack| {
        role.outbox.push_back((Destination::Everyone, std::vec![1; 5]));
        driver.turn(at(0), stack, &mut role).unwrap();
        let reached: Vec<_> = stack.sent.drain(..).map(|(to, _)| to).collect();
        (reached, driver.drops())
    };
    let [v4, v6] = ["255.255.255.255:4440", "[ff02::114]:4440"].map(|to| to.parse().unwrap());
    assert_eq!(reached(&mut stack), (std::vec![v4, v6], Drops::default()));
    stack.without_v6 = true;
    assert_eq!(reached(&mut stack), (std::vec![v4], Drops::default()));
}

#[test]
fn what_is_not_sent_is_counted_by_its_reason() {
    let config = Config { path_mtu: 128, ..Config::default() };
    let mut driver = Driver::<600>::new(config).unwrap();
    let (mut stack, mut role) = (Stack { without_v6: true, ..Stack::default() }, Role::default());
    role.sends(&[100, 101]);
    let v6 = Destination::Address("[2001:db8::1]:9".parse().unwrap());
    role.outbox.push_back((v6, std::vec![1]));
    driver.turn(at(0), &mut stack, &mut role).unwrap();
    assert_eq!(stack.sent, [(PEER, 100)]);
    assert_eq!(driver.drops(), Drops { too_long: 1, no_socket: 1, ..Drops::default() });
}

#[test]
fn a_role_with_longer_datagrams_is_told_so_and_loses_none() {
    let (mut driver, mut stack, mut role) = (driver(), Stack::default(), Role::default());
    role.sends(&[601]);
    let error = driver.turn(at(0), &mut stack, &mut role).unwrap_err();
    assert_eq!((error, role.outbox.len()), (BufferTooSmall { needed: 601 }, 1));
}
