// SPDX-License-Identifier: MIT OR Apache-2.0
//! A channel: a queue of messages with any number of senders and receivers, bounded or not.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use super::Word;
use crate::op::{Object, ObjectClass, OpInfo, kinds};
use crate::{Effect, create, perform};

const SEND: u8 = 0;
const TRY_SEND: u8 = 1;
const RECV: u8 = 2;
const TRY_RECV: u8 = 3;
const CLOSE: u8 = 4;

const EVERY: u16 = kinds([SEND, TRY_SEND, RECV, TRY_RECV, CLOSE]);

const HEAD: usize = 0;
const TAIL: usize = 1;
const COUNT: usize = 2;
const ROOM: usize = 3;

/// Bit of [`COUNT`]: no more messages will be taken in.
const CLOSED: u64 = 1 << 63;

/// State: the first and the last message, as the index of their object plus one; how many there are; how many there
/// may be.
static CLASS: ObjectClass = ObjectClass {
    name: "channel",
    ops: &[
        OpInfo::new("send").conflicts(EVERY).blocking(),
        OpInfo::new("try_send").conflicts(EVERY),
        OpInfo::new("recv").conflicts(EVERY).blocking(),
        OpInfo::new("try_recv").conflicts(EVERY),
        OpInfo::new("close").conflicts(EVERY),
    ],
    enabled: |s, _, op| {
        let closed = s[COUNT] & CLOSED != 0;
        closed || if op.kind == SEND { s[COUNT] < s[ROOM] } else { s[COUNT] > 0 }
    },
};

/// State: the value, and the message after it as in the channel.
static MESSAGE: ObjectClass = ObjectClass { name: "message", ops: &[], enabled: |_, _, _| true };

/// The channel is closed; a value that was to be sent comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed<T>(pub T);

/// Why a message was not sent at once; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrySendError<T> {
    /// There is no room.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

/// Why a message was not received at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// There is none now.
    Empty,
    /// There is none, and there will be none.
    Closed,
}

/// A channel for values of type `T`.
pub struct Channel<T>(Object, PhantomData<T>);

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Channel<T> {}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", self.0.index())
    }
}

impl<T: Word> Channel<T> {
    /// A channel that holds at most `room` messages; a sender waits while it is full.
    ///
    /// # Panics
    /// When `room` is 0: a channel without room, on which sender and receiver meet, is not modelled.
    pub fn bounded(name: impl Into<Cow<'static, str>>, room: u32) -> Self {
        assert!(room > 0, "a channel without room");
        Channel(create(&CLASS, name, [0, 0, 0, room.into()]), PhantomData)
    }

    /// A channel without limit; a sender never waits.
    pub fn unbounded(name: impl Into<Cow<'static, str>>) -> Self {
        Channel(create(&CLASS, name, [0, 0, 0, CLOSED - 1]), PhantomData)
    }

    /// Makes a message that is in no channel. Messages are objects, so that what a sender did is before what the
    /// receiver of this message, and not of another, does next.
    fn message(value: T) -> Object {
        create(&MESSAGE, "message", [value.to_word(), 0, 0, 0])
    }

    fn push(fx: &mut Effect<'_>, message: Object) {
        fx.publish_on(message);
        fx.observe();
        let link = message.index() as u64 + 1;
        let s = fx.state();
        s[COUNT] += 1;
        match std::mem::replace(&mut s[TAIL], link) {
            0 => s[HEAD] = link,
            last => fx.state_of(Object::from_index(last as usize - 1))[1] = link,
        }
    }

    fn pop(fx: &mut Effect<'_>) -> Option<T> {
        let s = fx.state();
        if s[COUNT] & !CLOSED == 0 {
            return None;
        }
        s[COUNT] -= 1;
        let message = Object::from_index(s[HEAD] as usize - 1);
        fx.observe_on(message);
        if fx.state()[ROOM] < CLOSED - 1 {
            // Whoever sends into the room that this makes has seen it made.
            fx.publish();
        }
        let [value, next, ..] = *fx.state_of(message);
        let s = fx.state();
        s[HEAD] = next;
        if next == 0 {
            s[TAIL] = 0;
        }
        Some(T::from_word(value))
    }

    /// Waits until there is room, and sends.
    ///
    /// # Errors
    /// [`Closed`], with the value.
    #[track_caller]
    pub fn send(self, value: T) -> Result<(), Closed<T>> {
        let message = Self::message(value);
        let sent = perform(CLASS.op(self.0, SEND, 0), |fx| {
            let open = fx.state()[COUNT] & CLOSED == 0;
            if open {
                Self::push(fx, message);
            }
            open
        });
        if sent.unwrap_or(true) { Ok(()) } else { Err(Closed(value)) }
    }

    /// Sends, if there is room now.
    ///
    /// # Errors
    /// [`TrySendError`], with the value.
    #[track_caller]
    pub fn try_send(self, value: T) -> Result<(), TrySendError<T>> {
        let message = Self::message(value);
        let sent = perform(CLASS.op(self.0, TRY_SEND, 0), |fx| {
            let s = fx.state();
            if s[COUNT] & CLOSED != 0 {
                return Err(TrySendError::Closed(value));
            }
            if s[COUNT] >= s[ROOM] {
                return Err(TrySendError::Full(value));
            }
            Self::push(fx, message);
            Ok(())
        });
        sent.unwrap_or(Ok(()))
    }

    /// Waits for a message and takes it; `None` once the channel is closed and empty.
    #[track_caller]
    pub fn recv(self) -> Option<T> {
        perform(CLASS.op(self.0, RECV, 0), Self::receive).flatten()
    }

    /// Takes a message, if there is one now.
    ///
    /// # Errors
    /// [`TryRecvError`]; `Closed` while the execution is being taken down.
    #[track_caller]
    pub fn try_recv(self) -> Result<T, TryRecvError> {
        let got = perform(CLASS.op(self.0, TRY_RECV, 0), |fx| {
            let closed = fx.state()[COUNT] & CLOSED != 0;
            Self::receive(fx).ok_or(if closed { TryRecvError::Closed } else { TryRecvError::Empty })
        });
        got.unwrap_or(Err(TryRecvError::Closed))
    }

    fn receive(fx: &mut Effect<'_>) -> Option<T> {
        let got = Self::pop(fx);
        if got.is_none() && fx.state()[COUNT] & CLOSED != 0 {
            fx.observe();
        }
        got
    }

    /// Takes no more messages in; those that are in it can still be received. Says whether it was open.
    #[track_caller]
    pub fn close(self) -> bool {
        let open = perform(CLASS.op(self.0, CLOSE, 0), |fx| {
            fx.publish();
            let s = fx.state();
            let open = s[COUNT] & CLOSED == 0;
            s[COUNT] |= CLOSED;
            open
        });
        open.unwrap_or(true)
    }

    /// The object behind the handle.
    pub fn object(self) -> Object {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_class_is_valid() {
        super::CLASS.validate().unwrap();
    }
}
