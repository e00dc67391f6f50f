// SPDX-License-Identifier: MIT OR Apache-2.0
//! Channels: order, room, closing.

mod common;

use common::{check, check_with, clean, one};
use explorer::FindingKind::{DataRace, Deadlock};
use explorer::sync::{Cell, Channel, Closed, TryRecvError, TrySendError};
use explorer::{Config, JoinHandle, spawn};

#[test]
fn messages_keep_their_order() {
    let model = || {
        let c = Channel::unbounded("c");
        let sender = spawn("sender", move || {
            for i in 1..=3u32 {
                c.send(i).unwrap();
            }
            assert!(c.close() && !c.close());
        });
        for i in 1..=3 {
            assert_eq!(c.recv(), Some(i));
        }
        assert_eq!(c.recv(), None);
        assert_eq!(c.send(4), Err(Closed(4)));
        sender.join();
    };
    assert_eq!(check(model), clean(56));
}

/// A sender of two messages into a room for one, and a receiver of `taken`.
fn room(taken: u32) {
    let c = Channel::bounded("c", 1);
    let sender = spawn("sender", move || {
        c.send(1u8).unwrap();
        c.send(2).unwrap();
    });
    let receiver = spawn("receiver", move || {
        for _ in 0..taken {
            c.recv();
        }
    });
    [sender, receiver].into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_full_channel_without_a_receiver_is_a_deadlock() {
    assert_eq!(check(|| room(0)), one(1, Deadlock, "sender waits to send c"));
    assert_eq!(check(|| room(1)), clean(1));
}

#[test]
fn an_empty_channel_without_a_sender_is_a_deadlock() {
    assert_eq!(check(|| room(3)), one(1, Deadlock, "receiver waits to recv c"));
    assert_eq!(check(|| room(2)), clean(1));
}

#[test]
fn nobody_waits_who_only_tries() {
    let model = || {
        let c = Channel::bounded("c", 1);
        assert_eq!(c.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(c.try_send(1u8), Ok(()));
        assert_eq!(c.try_send(2), Err(TrySendError::Full(2)));
        c.close();
        assert_eq!(c.try_send(3), Err(TrySendError::Closed(3)));
        assert_eq!(c.try_recv(), Ok(1));
        assert_eq!(c.try_recv(), Err(TryRecvError::Closed));
    };
    assert_eq!(check(model), clean(1));
}

/// The receiver of `expected` reads what that message's sender wrote.
fn hand_over(own: bool) {
    let (c, x) = (Channel::unbounded("c"), [Cell::new("x", 0), Cell::new("y", 0)]);
    let sender = move |i: usize| {
        move || {
            x[i].set(1);
            c.send(i).unwrap();
        }
    };
    let tasks = [spawn("s0", sender(0)), spawn("s1", sender(1))];
    let i = c.recv().unwrap();
    assert!(x[if own { i } else { 1 - i }].get() <= 1);
    tasks.into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_message_orders_its_sender_and_no_other() {
    let config = Config { report_data_races: true, ..Config::new("test") };
    assert_eq!(check_with(&config, || hand_over(true)).1, []);
    let findings = check_with(&config, || hand_over(false)).1;
    assert!(!findings.is_empty() && findings.iter().all(|f| f.0 == DataRace), "{findings:?}");
}
