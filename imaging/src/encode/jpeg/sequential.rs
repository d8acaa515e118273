//! The one scan of a baseline JPEG (T.81 section F.1), all components interleaved.

use fearless_simd::{Level, Simd, dispatch};

use crate::Error;
use crate::encode::Settings;

use super::bits::BitWriter;
use super::dct::{self, Divisors};
use super::entropy::{self, CodeTables, Coder, Sink, Table, Tokens};
use super::strips::{Component, Strip, Strips};
use super::tables::{Codebook, standard};
use super::{codebooks, scan_head};

/// Writes tables, scan and end after `bytes`.
pub(super) fn scan(
    bytes: Vec<u8>,
    mut strips: Strips<'_>,
    is_fitted: bool,
    settings: &Settings<'_>,
) -> Result<Vec<u8>, Error> {
    let mut state = State { divisors: Divisors::of_quality(settings.quality), before: [0; 3] };
    let mut strip = strips.room();
    let mut n = 0;
    let mut tokens = Tokens::new();
    if is_fitted {
        while n < strips.units_down() && !tokens.is_full() {
            settings.deadline.check()?;
            strips.load(n, &mut strip);
            state.strip(&mut tokens, &strip, &strips.components);
            n += 1;
        }
    }
    let books = match (is_fitted, n == strips.units_down()) {
        (true, true) => tokens.books(),
        (true, false) => tokens.books_for_all(),
        (false, _) => standard(),
    };
    let bytes = heads(bytes, &books, &strips.components)?;
    let tables = CodeTables::new(&books);
    let mut coder = Coder { bits: BitWriter::after(bytes), tables: &tables };
    tokens.replay(&mut coder);
    while n < strips.units_down() {
        settings.deadline.check()?;
        strips.load(n, &mut strip);
        state.strip(&mut coder, &strip, &strips.components);
        n += 1;
    }
    let mut bytes = coder.bits.finish();
    bytes.extend([0xFF, 0xD9]);
    Ok(bytes)
}

fn heads(mut bytes: Vec<u8>, books: &[Codebook; 4], components: &[Component]) -> Result<Vec<u8>, Error> {
    let used = if components.len() == 1 { 2 } else { 4 };
    let books: Vec<(Table, &Codebook)> = Table::ALL.into_iter().zip(books).take(used).collect();
    codebooks(&mut bytes, &books)?;
    let components: Vec<(usize, u16)> =
        components.iter().enumerate().map(|(n, component)| (n, component.chroma)).collect();
    scan_head(&mut bytes, &components, [0, 63], 0)?;
    Ok(bytes)
}

struct State {
    divisors: [Divisors; 2],
    /// DC of each component's block before.
    before: [i16; 3],
}

impl State {
    /// Sends the units of a strip to the sink, from left to right.
    fn strip(&mut self, sink: &mut impl Sink, strip: &Strip, components: &[Component]) {
        dispatch!(Level::new(), simd => self.strip_with(simd, sink, strip, components));
    }

    #[inline(always)]
    fn strip_with<S: Simd>(
        &mut self,
        simd: S,
        sink: &mut impl Sink,
        strip: &Strip,
        components: &[Component],
    ) {
        let [luma, chroma] = &self.divisors;
        let units = components.first().map_or(0, |first| {
            strip.first().and_then(|rows| rows.first()).map_or(0, |row| row.len() / first.across.max(1))
        });
        for unit in 0..units {
            for ((component, rows), before) in components.iter().zip(strip).zip(&mut self.before) {
                let divisors = if component.chroma == 0 { luma } else { chroma };
                for row in rows {
                    let start = unit * component.across;
                    for samples in row.get(start..start + component.across).unwrap_or_default() {
                        entropy::block(
                            sink,
                            &dct::forward(simd, samples, divisors),
                            before,
                            component.chroma,
                        );
                    }
                }
            }
        }
    }
}
