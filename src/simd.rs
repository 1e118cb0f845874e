//! The loops that decide the tree's speed: the position of a key among a node's
//! keys, the gaps of a node that are long enough, and the longest of them.
//!
//! **The rank of `x`**: how many keys of a sorted column are below it.
//!
//! ```text
//! block = number of k in 7, 15, ..., N - 9 with column[k] < x
//! rank  = 8 * block + number of k in 8 * block .. 8 * block + 8 with column[k] < x
//! ```
//!
//! 1. Compare every eighth key and count, without a branch. A column of 48 has 5
//!    samples, one of 32 has 3; up to eight keys need none.
//! 2. That leaves one block of eight, in one cache line if the column is aligned.
//!    Compare its keys, in one of two ways:
//!    - one by one, each added to the sum ([`rank`]): the sum is there 7 to 9
//!      cycles sooner. For the way down, where each step waits for the last.
//!    - all at once ([`rank_at_once`]): four subtractions, two shuffles, two
//!      packs, one mask. For the leaf of a look-up, on which the next look-up
//!      does not depend: without it a look-up takes 1.3 times as long.
//!
//! In all 13 comparisons for 48 keys, 11 for 32, and one branch, on the length of
//! the node. A column whose length is no multiple of eight is compared whole;
//! those are for tests.
//!
//! **The gap mask**: a bit for each gap that is at least `want` long.
//!
//! ```text
//! bit k = sign of (gap[k] - want) is clear
//! ```
//!
//! 1. Subtract, two gaps an instruction: 8 subtractions for sixteen gaps, 16 if
//!    a gap is itself the difference of two columns. (The compiler drops the
//!    subtraction of zero.)
//! 2. Take the high halves of four differences: 4 shuffles.
//! 3. Pack four and four to eight, eight and eight to sixteen, keeping signs: 3
//!    packs.
//! 4. Take sixteen signs: 1 mask. Stop behind the last sixteen slots in use.
//!
//! Without it a pair of removal and placement takes a tenth longer.
//!
//! **The longest gap**: a maximum of floating-point numbers, since SSE2 has none
//! of 64-bit integers; two gaps an instruction. Without it a pair takes 3 to
//! 6 % longer.
//!
//! The compiler finds none of these, so they are written with SSE2 intrinsics,
//! beside scalar twins that serve other targets and `--cfg gaptree_scalar`, and
//! that tests compare them with. docs/measurements.md has what each is worth and
//! on which processor.
//!
//! [`prefetch`] is a hint beside them: nodes are not adjacent in memory, so the
//! processor does not see which one an iteration gets to next.
//!
//! All but [`rank`] rely on the limit of [`U62`]: no difference overflows its
//! sign.

use crate::u62::U62;

/// How many keys the last step of a search compares at once.
const EIGHT: usize = 8;

/// How many keys of the column are below something. Unused slots hold the
/// padding, which is above every key.
#[inline]
pub(crate) fn rank<T: Copy, const N: usize>(
    column: &[T; N],
    len: usize,
    below: impl Fn(T) -> bool + Copy,
) -> usize {
    rank_by(column, len, below, |keys| one_by_one(keys, below))
}

/// How many keys are below `x`, in fewer instructions but with more latency: for
/// the last step of a look-up.
#[inline]
pub(crate) fn rank_at_once<const N: usize>(column: &[U62; N], len: usize, x: U62) -> usize {
    rank_by(column, len, |key| key < x, |keys| at_once(keys, x))
}

/// The rank, when `last` counts the keys of a block that are below.
#[inline]
fn rank_by<T: Copy, const N: usize>(
    column: &[T; N],
    len: usize,
    below: impl Fn(T) -> bool + Copy,
    last: impl FnOnce(&[T; EIGHT]) -> usize,
) -> usize {
    if !N.is_multiple_of(EIGHT) {
        return one_by_one(column, below);
    }
    let mut block = 0;
    if len > EIGHT {
        for sample in 1..N / EIGHT {
            block += usize::from(below(column[EIGHT * sample - 1]));
        }
    }
    EIGHT * block + last(&column.as_chunks().0[block])
}

#[inline]
fn one_by_one<T: Copy>(keys: &[T], below: impl Fn(T) -> bool) -> usize {
    keys.iter().map(|&key| usize::from(below(key))).sum()
}

/// How many of eight sorted keys are below `x`.
#[inline]
fn at_once(keys: &[U62; EIGHT], x: U62) -> usize {
    #[cfg(all(target_arch = "x86_64", not(gaptree_scalar)))]
    return sse2::below(keys, x.0);
    #[cfg(not(all(target_arch = "x86_64", not(gaptree_scalar))))]
    one_by_one(keys, |key| key < x)
}

/// A bit for each gap of a padded column that is at least `want` long, for
/// `want` above zero.
#[inline]
pub(crate) fn long_enough<const N: usize>(gaps: &[U62; N], len: usize, want: U62) -> u64 {
    mask::<N>(len, |i| (gaps[i].0, 0), want.0)
}

/// A bit for each `i` from 1 with `starts[i] - ends[i - 1] >= want`, for `want`
/// above zero. Bit 0 is zero: an entry starts before it ends.
#[inline]
pub(crate) fn long_enough_between<const N: usize>(
    starts: &[U62; N],
    ends: &[U62; N],
    len: usize,
    want: U62,
) -> u64 {
    mask::<N>(len, between(starts, ends), want.0)
}

/// The start of each slot, and the end before it; for the first its own.
#[inline]
fn between<const N: usize>(starts: &[U62; N], ends: &[U62; N]) -> impl Fn(usize) -> (u64, u64) {
    |i| (starts[i].0, ends[i.saturating_sub(1)].0)
}

/// A bit for each slot with `a - b >= want`, where `(a, b) = pair(slot)`.
#[inline]
fn mask<const N: usize>(len: usize, pair: impl Fn(usize) -> (u64, u64), want: u64) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(gaptree_scalar)))]
    if N.is_multiple_of(sse2::SIXTEEN) {
        return sse2::mask::<N>(len, pair, want);
    }
    scalar_mask::<N>(len, pair, want)
}

#[inline]
fn scalar_mask<const N: usize>(len: usize, pair: impl Fn(usize) -> (u64, u64), want: u64) -> u64 {
    let mut mask = 0;
    for slot in 0..len.min(N) {
        let (a, b) = pair(slot);
        mask |= (!a.wrapping_sub(b).wrapping_sub(want) >> 63) << slot;
    }
    mask
}

/// The longest gap of a padded column.
#[inline]
pub(crate) fn longest<const N: usize>(gaps: &[U62; N], len: usize) -> U62 {
    longest_of::<N>(len, |i| (gaps[i].0, 0))
}

/// The longest `starts[i] - ends[i - 1]` of padded columns, zero if there is
/// only one entry.
#[inline]
pub(crate) fn longest_between<const N: usize>(
    starts: &[U62; N],
    ends: &[U62; N],
    len: usize,
) -> U62 {
    longest_of::<N>(len, between(starts, ends))
}

/// The longest `a - b` above zero, where `(a, b) = pair(slot)`.
#[inline]
fn longest_of<const N: usize>(len: usize, pair: impl Fn(usize) -> (u64, u64)) -> U62 {
    #[cfg(all(target_arch = "x86_64", not(gaptree_scalar)))]
    if N.is_multiple_of(sse2::SIXTEEN) {
        return U62(sse2::longest::<N>(len, pair));
    }
    U62(scalar_longest::<N>(len, pair))
}

#[inline]
fn scalar_longest<const N: usize>(len: usize, pair: impl Fn(usize) -> (u64, u64)) -> u64 {
    let gaps = (0..len.min(N)).map(|slot| {
        let (a, b) = pair(slot);
        a.wrapping_sub(b).cast_signed()
    });
    gaps.fold(0, i64::max).cast_unsigned()
}

/// Asks for the memory of what will be read soon; a hint, which other targets
/// do without.
#[inline]
pub(crate) fn prefetch<T>(what: &T) {
    #[cfg(all(target_arch = "x86_64", not(gaptree_scalar)))]
    sse2::prefetch(what);
    #[cfg(not(all(target_arch = "x86_64", not(gaptree_scalar))))]
    let _ = what;
}

#[cfg(all(target_arch = "x86_64", not(gaptree_scalar)))]
mod sse2 {
    use core::arch::x86_64::{
        __m128i, _MM_HINT_T0, _mm_add_epi64, _mm_castpd_si128, _mm_castps_si128, _mm_castsi128_pd,
        _mm_castsi128_ps, _mm_cvtsi128_si64, _mm_max_pd, _mm_movemask_epi8, _mm_packs_epi16,
        _mm_packs_epi32, _mm_prefetch, _mm_set_epi64x, _mm_set1_epi64x, _mm_setzero_si128,
        _mm_shuffle_ps, _mm_sub_epi64, _mm_unpackhi_epi64,
    };

    use crate::u62::U62;

    /// How many gaps the scans look at before they ask whether there are more.
    pub(super) const SIXTEEN: usize = 16;

    #[inline]
    #[expect(unsafe_code, reason = "an intrinsic of SSE2")]
    fn two(low: u64, high: u64) -> __m128i {
        // SAFETY: every x86-64 target has SSE2; no memory is touched.
        unsafe { _mm_set_epi64x(high.cast_signed(), low.cast_signed()) }
    }

    /// The high halves of four numbers, with their signs.
    #[inline]
    #[expect(unsafe_code, reason = "intrinsics of SSE2")]
    fn high_halves(low: __m128i, high: __m128i) -> __m128i {
        // SAFETY: every x86-64 target has SSE2; no memory is touched.
        unsafe {
            let (low, high) = (_mm_castsi128_ps(low), _mm_castsi128_ps(high));
            _mm_castps_si128(_mm_shuffle_ps::<0b11_01_11_01>(low, high))
        }
    }

    /// [`one_by_one`](super::one_by_one) for eight sorted keys.
    #[inline]
    #[expect(unsafe_code, reason = "without it a look-up takes 1.3 times as long")]
    pub(super) fn below(keys: &[U62; super::EIGHT], x: u64) -> usize {
        // SAFETY: every x86-64 target has SSE2, and none of these intrinsics
        // touches memory.
        let negative = unsafe {
            let x = _mm_set1_epi64x(x.cast_signed());
            let minus = |slot: usize| _mm_sub_epi64(two(keys[slot].0, keys[slot + 1].0), x);
            let four = |slot: usize| high_halves(minus(slot), minus(slot + 2));
            // Packing with saturation keeps signs.
            let eight = _mm_packs_epi32(four(0), four(4));
            _mm_movemask_epi8(_mm_packs_epi16(eight, _mm_setzero_si128()))
        };
        // A bit for each key; those of the keys below `x` are the lowest.
        negative.trailing_ones() as usize
    }

    /// [`scalar_mask`](super::scalar_mask), sixteen slots at a time.
    #[inline]
    #[expect(unsafe_code, reason = "without it churn takes a tenth longer")]
    pub(super) fn mask<const N: usize>(
        len: usize,
        pair: impl Fn(usize) -> (u64, u64),
        want: u64,
    ) -> u64 {
        // SAFETY: every x86-64 target has SSE2, and none of these intrinsics
        // touches memory.
        unsafe {
            let want = _mm_set1_epi64x(want.cast_signed());
            let minus = |slot: usize| -> __m128i {
                let ((a0, b0), (a1, b1)) = (pair(slot), pair(slot + 1));
                _mm_sub_epi64(_mm_sub_epi64(two(a0, a1), two(b0, b1)), want)
            };
            let four = |slot: usize| high_halves(minus(slot), minus(slot + 2));
            // Packing with saturation keeps signs.
            let eight = |slot: usize| _mm_packs_epi32(four(slot), four(slot + 4));
            let mut mask = 0;
            let mut slot = 0;
            while slot < N && slot < len {
                let sixteen = _mm_packs_epi16(eight(slot), eight(slot + 8));
                let negative = _mm_movemask_epi8(sixteen).cast_unsigned();
                mask |= u64::from(!negative & 0xFFFF) << slot;
                slot += SIXTEEN;
            }
            mask
        }
    }

    /// [`scalar_longest`](super::scalar_longest), two slots at a time.
    ///
    /// SSE2 has no maximum of 64-bit integers, but one of floating-point
    /// numbers, and the bits of positive ones sort like integers. The least
    /// normal one is added, so that none is subnormal, since a program may have
    /// those count as zero. The gaps of unused slots are zero in a
    /// column of gaps. Between two columns they are negative numbers or not
    /// numbers: then the second operand is the maximum.
    #[inline]
    #[expect(unsafe_code, reason = "without it churn takes 3 to 6 % longer")]
    pub(super) fn longest<const N: usize>(len: usize, pair: impl Fn(usize) -> (u64, u64)) -> u64 {
        const NORMAL: u64 = 1 << 52;
        // SAFETY: every x86-64 target has SSE2; no memory is touched.
        let [even, odd] = unsafe {
            let normal = _mm_set1_epi64x(NORMAL.cast_signed());
            let mut longest = _mm_castsi128_pd(normal);
            let mut slot = 0;
            while slot < N && slot < len {
                for slot in (slot..slot + SIXTEEN).step_by(2) {
                    let ((a0, b0), (a1, b1)) = (pair(slot), pair(slot + 1));
                    let gaps = _mm_sub_epi64(two(a0, a1), two(b0, b1));
                    let gaps = _mm_castsi128_pd(_mm_add_epi64(gaps, normal));
                    longest = _mm_max_pd(gaps, longest);
                }
                slot += SIXTEEN;
            }
            let even = _mm_castpd_si128(longest);
            let odd = _mm_unpackhi_epi64(even, even);
            [even, odd].map(|number| _mm_cvtsi128_si64(number).cast_unsigned() - NORMAL)
        };
        even.max(odd)
    }

    #[inline]
    #[expect(
        unsafe_code,
        reason = "without it a long iteration takes a quarter longer"
    )]
    pub(super) fn prefetch<T>(what: &T) {
        let start = core::ptr::from_ref(what).cast::<i8>();
        for line in (0..size_of::<T>()).step_by(64) {
            // SAFETY: every x86-64 target has SSE, and a hint cannot fault.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        U62, between, long_enough, long_enough_between, longest, longest_between, one_by_one, rank,
        rank_at_once, scalar_longest, scalar_mask,
    };
    use crate::ordinal::Ordinal;

    /// A small deterministic generator (xorshift), so that the twins meet many
    /// patterns without a dependency.
    fn numbers(mut state: u64) -> impl FnMut() -> u64 {
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    /// Values that cluster at both ends of the domain and around each other.
    fn value(next: &mut impl FnMut() -> u64) -> u64 {
        match next() % 4 {
            0 => next() % 4,
            1 => U62::LIMIT - 1 - next() % 4,
            2 => next() % 64,
            _ => next() % U62::LIMIT,
        }
    }

    fn twins_agree<const N: usize>() {
        let mut next = numbers(0x9E37_79B9_7F4A_7C15 + N as u64);
        for _ in 0..2000 {
            let len = (next() % (N as u64 + 1)) as usize;
            let mut gaps = [U62::ZERO; N];
            gaps[..len].fill_with(|| U62(value(&mut next)));
            let want = U62(value(&mut next).max(1));

            let obvious = (0..len).filter(|&i| gaps[i] >= want);
            let obvious = obvious.fold(0, |mask, i| mask | 1 << i);
            assert_eq!(long_enough(&gaps, len, want), obvious);
            assert_eq!(scalar_mask::<N>(len, |i| (gaps[i].0, 0), want.0), obvious);
            let obvious = gaps.into_iter().fold(U62::ZERO, U62::max);
            assert_eq!(longest(&gaps, len), obvious);
            assert_eq!(scalar_longest::<N>(len, |i| (gaps[i].0, 0)), obvious.0);

            let mut bounds: [u64; 128] = [0; 128];
            bounds[..2 * len].fill_with(|| value(&mut next));
            bounds[..2 * len].sort_unstable();
            let (mut starts, mut ends) = ([U62::ZERO; N], [U62::PAD; N]);
            for i in 0..len {
                starts[i] = U62(bounds[2 * i]);
                ends[i] = U62(bounds[2 * i + 1].max(bounds[2 * i] + 1));
            }
            let obvious = (1..len).filter(|&i| starts[i].0 >= ends[i - 1].0 + want.0);
            let obvious = obvious.fold(0, |mask, i| mask | 1 << i);
            assert_eq!(long_enough_between(&starts, &ends, len, want), obvious);
            let scalar = scalar_mask::<N>(len, between(&starts, &ends), want.0);
            assert_eq!(scalar, obvious);
            let lengths = (1..len).map(|i| starts[i].0.saturating_sub(ends[i - 1].0));
            let obvious = lengths.max().unwrap_or(0);
            assert_eq!(longest_between(&starts, &ends, len).0, obvious);
            assert_eq!(scalar_longest::<N>(len, between(&starts, &ends)), obvious);

            let x = U62(value(&mut next));
            let obvious = ends.partition_point(|&key| key < x);
            assert_eq!(rank(&ends, len, |key| key < x), obvious);
            assert_eq!(rank_at_once(&ends, len, x), obvious);
            assert_eq!(one_by_one(&ends, |key| key < x), obvious);
        }
    }

    /// The padding of a whole domain is its largest key, which can be an end.
    fn ranks_of_a_whole_domain_are_obvious<const N: usize>() {
        let mut next = numbers(0x9E37_79B9_7F4A_7C15 + N as u64);
        let value = |next: &mut dyn FnMut() -> u64| match next() % 3 {
            0 => next() % 4,
            1 => u64::MAX - next() % 4,
            _ => next(),
        };
        for _ in 0..2000 {
            let len = (next() % (N as u64 + 1)) as usize;
            let mut ends = [u64::PAD; N];
            ends[..len].fill_with(|| value(&mut next));
            ends[..len].sort_unstable();
            let x = value(&mut next);
            let below = ends[..len].partition_point(|&key| key < x);
            assert_eq!(u64::rank_below(&ends, len, x), below);
            let up_to = ends[..len].partition_point(|&key| key <= x);
            assert_eq!(u64::rank_up_to(&ends, len, x), up_to);
            assert_eq!(u64::rank_up_to_at_once(&ends, len, x), up_to);
        }
    }

    #[test]
    fn ranks_of_a_whole_domain() {
        ranks_of_a_whole_domain_are_obvious::<3>();
        ranks_of_a_whole_domain_are_obvious::<8>();
        ranks_of_a_whole_domain_are_obvious::<24>();
        ranks_of_a_whole_domain_are_obvious::<32>();
    }

    #[test]
    fn vector_and_scalar_twins_agree_with_the_obvious_loops() {
        twins_agree::<3>();
        twins_agree::<8>();
        twins_agree::<16>();
        twins_agree::<24>();
        twins_agree::<32>();
        twins_agree::<64>();
    }
}
