//! Values of entries, and data of regions, that stand for small numbers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// A value that stands for a small number.
pub trait Sample: Clone + PartialEq + fmt::Debug + 'static {
    /// The value of a number.
    fn of(number: u8) -> Self;
    /// The number of the value.
    fn number(&self) -> u8;
}

impl Sample for u8 {
    fn of(number: u8) -> Self {
        number
    }

    fn number(&self) -> u8 {
        *self
    }
}

/// A value of 64 bits, as C has them: of them not only the low ones differ.
impl Sample for u64 {
    fn of(number: u8) -> Self {
        Self::from(number) * 0x0100_0000_0000_0001
    }

    fn number(&self) -> u8 {
        *self as u8
    }
}

/// A value that owns memory: a leak or a double drop of it shows.
impl Sample for Box<u8> {
    fn of(number: u8) -> Self {
        Self::new(number)
    }

    fn number(&self) -> u8 {
        **self
    }
}

/// No value: all are equal.
impl Sample for () {
    fn of(_: u8) -> Self {}

    fn number(&self) -> u8 {
        0
    }
}

/// A value behind a pointer, equal only to clones of itself: what a file object
/// is in many programs. One number is one object, on each thread.
#[derive(Clone, Debug)]
pub struct Shared(Rc<u8>);

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Sample for Shared {
    fn of(number: u8) -> Self {
        thread_local! {
            static OBJECTS: RefCell<BTreeMap<u8, Shared>> = const { RefCell::new(BTreeMap::new()) };
        }
        OBJECTS.with_borrow_mut(|objects| {
            let new = || Self(Rc::new(number));
            objects.entry(number).or_insert_with(new).clone()
        })
    }

    fn number(&self) -> u8 {
        *self.0
    }
}

/// A value that equals nothing but clones of itself, and is never made twice: what
/// keeps regions from joining.
#[derive(Clone, PartialEq, Debug)]
pub struct Serial(Box<(u64, u8)>);

impl Sample for Serial {
    fn of(number: u8) -> Self {
        thread_local! {
            static MADE: Cell<u64> = const { Cell::new(0) };
        }
        let serial = MADE.get();
        MADE.set(serial + 1);
        Self(Box::new((serial, number)))
    }

    fn number(&self) -> u8 {
        self.0.1
    }
}
