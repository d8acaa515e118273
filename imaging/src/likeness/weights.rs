//! What a difference counts, and how a sum of differences becomes points.
//!
//! The numbers are those of the reference implementation in libjxl. Its weights below 0.0025, which are 27 of 52 that are
//! not 0, are 0 here: together they move a score by a few hundredths of a point.

/// Sizes that are compared.
pub(super) const SCALES_MAX: usize = 6;

/// What the differences of one channel at one size count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weights {
    /// Of the mean.
    pub(super) mean: Kinds,
    /// Of the fourth root of the mean fourth power, which the worst places decide.
    pub(super) worst: Kinds,
}

/// A number for each kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Kinds {
    /// Another structure.
    pub(super) structure: f64,
    /// Edges where there were none.
    pub(super) added: f64,
    /// Edges that are gone.
    pub(super) lost: f64,
}

impl Weights {
    /// Whether structure counts at all.
    pub(super) fn has_structure(&self) -> bool {
        self.mean.structure > 0.0 || self.worst.structure > 0.0
    }

    /// Whether edges count at all.
    pub(super) fn has_edges(&self) -> bool {
        [self.mean, self.worst].iter().any(|kinds| kinds.added > 0.0 || kinds.lost > 0.0)
    }

    /// Whether anything counts.
    pub(super) fn count(&self) -> bool {
        self.has_structure() || self.has_edges()
    }
}

const fn weights(mean: [f64; 3], worst: [f64; 3]) -> Weights {
    let [structure, added, lost] = mean;
    let mean = Kinds { structure, added, lost };
    let [structure, added, lost] = worst;
    Weights { mean, worst: Kinds { structure, added, lost } }
}

const NONE: Weights = weights([0.0; 3], [0.0; 3]);

/// X, Y and B, each at six sizes, the full one first.
const TABLE: [Weights; 3 * SCALES_MAX] = [
    NONE,
    weights([0.0, 0.0, 0.0], [1.104_172_642_665_734_6, 0.0, 0.0]),
    weights([0.0, 0.0, 0.0], [1.842_245_552_053_929_8, 11.441_172_603_757_666, 0.0]),
    weights([0.0, 0.0, 0.0], [1.878_759_497_954_638_7, 10.949_069_906_051_42, 0.0]),
    weights([0.0, 0.967_793_708_062_683_3, 0.0], [0.0, 0.998_176_697_785_496_7, 0.0]),
    NONE,
    weights([0.0, 0.0, 0.0], [7.466_890_328_078_848, 0.0, 17.445_833_984_131_262]),
    weights([0.0, 0.0, 0.0], [6.683_678_146_179_332, 0.0, 1.027_889_937_768_264]),
    weights([225.205_153_008_492_74, 0.0, 0.0], [19.213_238_186_143_016, 0.0, 0.0]),
    weights([176.393_175_984_506_94, 0.0, 0.0], [24.433_009_998_704_76, 0.285_208_026_121_177_57, 0.0]),
    weights([0.0, 0.0, 0.0], [34.779_063_444_837_72, 44.835_625_328_877_896, 0.0]),
    NONE,
    NONE,
    NONE,
    NONE,
    weights([0.0, 0.0, 0.0], [8.826_982_764_996_862, 23.192_433_439_989_26, 0.0]),
    weights(
        [95.108_049_881_108_6, 0.986_397_803_440_068_2, 0.983_438_279_246_535_3],
        [0.0, 171.266_725_589_730_7, 0.980_785_887_243_537_9],
    ),
    NONE,
];

/// The weights of X, Y and B at one of `sizes` sizes. A picture too small for all six takes the table's first entries, as
/// the reference implementation does, though they then belong to other channels and sizes: its points are what people know.
pub(super) fn of_size(size: usize, sizes: usize) -> [Weights; 3] {
    [0, 1, 2].map(|channel| TABLE.get(channel * sizes + size).copied().unwrap_or(NONE))
}

/// Points for a weighted sum of differences.
pub(super) fn points(sum: f64) -> f64 {
    let sum = sum * 0.956_238_261_683_484_4;
    let fitted = 2.326_765_642_916_932 * sum - 0.020_884_521_182_843_837 * sum.powi(2)
        + 6.248_496_625_763_138e-5 * sum.powi(3);
    if fitted > 0.0 { 100.0 - 10.0 * fitted.powf(0.627_633_646_783_138_7) } else { 100.0 }
}
