//! What every subject keeps for a region.

/// A mapping of 32 bytes: protection, flags, file, offset, original. All
/// subjects keep this value, but `AddrSpace`, which keeps its own of 24 bytes.
#[derive(Clone, Copy, Eq, Debug)]
// Rivals in C++ know its layout; others are left what the compiler chooses.
#[cfg_attr(feature = "cpp-rivals", repr(C))]
pub struct Value {
    /// Offset in the file, in bytes; for a trace less the address.
    pub offset: u64,
    /// Protection bits.
    pub prot: u32,
    /// Flag bits.
    pub flags: u32,
    /// Number of the file, -1 for none.
    pub fd: i32,
    /// Whether it belongs to the recorded state.
    pub original: bool,
    /// A mark that no workload sets; it makes the value 32 bytes.
    pub owner: u64,
}

/// Without branches, for everybody: which field differs is hard to predict.
impl PartialEq for Value {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let words = (self.prot ^ other.prot)
            | (self.flags ^ other.flags)
            | (self.fd ^ other.fd).cast_unsigned()
            | u32::from(self.original ^ other.original);
        u64::from(words) | (self.offset ^ other.offset) | (self.owner ^ other.owner) == 0
    }
}

/// The three protections of the workloads.
pub const PROTS: [u32; 3] = [1, 3, 5];

/// How many values [`Value::tagged`] makes: few enough that neighbours are
/// sometimes equal, so that subjects must compare and coalesce.
pub const TAGS: u32 = 24;

impl Value {
    /// One of [`TAGS`] values.
    #[inline]
    #[must_use]
    pub fn tagged(tag: u32) -> Self {
        let fd = (tag / 3 % 8).cast_signed();
        Self::new(PROTS[(tag % 3) as usize], 0, fd, 0)
    }

    /// A value with these fields.
    #[inline]
    #[must_use]
    pub fn new(prot: u32, flags: u32, fd: i32, offset: u64) -> Self {
        Self {
            offset,
            prot,
            flags,
            fd,
            original: false,
            owner: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TAGS, Value};

    #[test]
    fn a_value_has_32_bytes() {
        assert_eq!(size_of::<Value>(), 32);
    }

    #[test]
    fn values_are_equal_if_their_tags_are() {
        for a in 0..TAGS {
            for b in 0..TAGS {
                assert_eq!(Value::tagged(a) == Value::tagged(b), a == b, "{a} {b}");
            }
        }
    }
}
