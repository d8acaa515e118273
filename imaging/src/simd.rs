//! The widest instructions that the processor has.

/// Evaluates an expression compiled for AVX2 and BMI2, or NEON, where the processor has them, and once more for all
/// others. The name is that of the token by which vectors are made. Only what is inlined into the expression gains.
macro_rules! widest {
    ($simd:ident => $work:expr) => {{
        #[cfg(target_arch = "x86_64")]
        let special = fearless_simd::Level::new().as_avx2();
        #[cfg(target_arch = "aarch64")]
        let special = fearless_simd::Level::new().as_neon();
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let special = None::<fearless_simd::Fallback>;
        if let Some($simd) = special {
            fearless_simd::Simd::vectorize(
                $simd,
                #[inline(always)]
                || $work,
            )
        } else {
            let $simd = fearless_simd::Fallback::new();
            $work
        }
    }};
}

pub(crate) use widest;
