// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pseudo-random numbers for the sampling strategies: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
//!
//! There is no randomness without a seed: the nth execution of a seed is the same wherever and whenever it runs,
//! so that a range of executions can be split among machines.

/// A stream of pseudo-random numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rng(u64);

/// The finalizer of SplitMix64: a bijection on words in which every input bit reaches every output bit.
#[inline]
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// The stream of the nth execution of a seed.
    pub fn of_execution(seed: u64, n: u64) -> Self {
        Rng(mix(mix(seed ^ 0x6a09_e667_f3bc_c908).wrapping_add(n)))
    }

    /// The next word.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `n`, each equally likely (Lemire, ACM TOMACS 2019).
    ///
    /// # Panics
    /// When `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a number below 0");
        loop {
            let wide = u128::from(self.word()) * u128::from(n);
            if wide as u64 >= n.wrapping_neg() % n {
                return (wide >> 64) as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_splitmix64() {
        // The reference implementation's first words for the seed 1234567.
        let mut r = Rng::new(1_234_567);
        assert_eq!([r.word(), r.word()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn numbers_below_n_are_even() {
        let mut r = Rng::new(7);
        let mut seen = [0u32; 5];
        (0..50_000).for_each(|_| seen[r.below(5) as usize] += 1);
        assert!(seen.iter().all(|n| (9_500..10_500).contains(n)), "{seen:?}");
    }

    #[test]
    fn executions_of_a_seed_differ() {
        let first = |s, n| Rng::of_execution(s, n).word();
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
        assert_eq!(first(9, 4), first(9, 4));
    }
}
