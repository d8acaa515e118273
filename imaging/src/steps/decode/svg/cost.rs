//! What drawing takes, added up before it begins.
//!
//! Work is estimated in nanoseconds of a slow machine and memory in bytes, both from above: areas are those of bounding
//! boxes, a layer is as large as the renderer would ever make it, everything is visible. An ordinary drawing stays far below
//! the bounds, so the estimate need not be good, only never much too low.

use resvg::tiny_skia::{PathSegment, Transform};
use resvg::usvg::filter::{Filter, Kind};
use resvg::usvg::{ClipPath, Group, Image, ImageKind, Mask, Node, Paint, Path, Pattern, Stroke, Tree};

use crate::limits::Limits;
use crate::{Error, sniff};

/// Estimated nanoseconds; together with what the estimate leaves out well within the time a rendering has.
const WORK_MAX: f64 = 4e9;
/// Nodes looked at. What the document grows to is bounded already.
const NODES_MAX: u32 = 1_000_000;
/// The renderer cuts layers to five times the canvas in each direction.
const LAYER_CANVASES: f64 = 25.0;
/// Dashes of one line, beyond which the renderer draws none.
const DASHES_MAX: f64 = 1_000_000.0;

const TOO_SLOW: Error = Error::Undecodable { reason: "the svg takes too long to draw" };
const TOO_LARGE: Error = Error::Undecodable { reason: "the svg takes too much memory to draw" };

/// Nanoseconds for one pixel, one edge on one row, one dash.
mod price {
    pub(super) const SOLID: f64 = 3.0;
    pub(super) const GRADIENT: f64 = 12.0;
    pub(super) const PATTERN: f64 = 30.0;
    pub(super) const LAYER: f64 = 20.0;
    pub(super) const CLIP: f64 = 10.0;
    pub(super) const MASK: f64 = 25.0;
    pub(super) const EDGE: f64 = 20.0;
    pub(super) const SEGMENT: f64 = 200.0;
    pub(super) const STROKED_SEGMENT: f64 = 2_000.0;
    pub(super) const DASH: f64 = 2_000.0;
    pub(super) const DECODED: f64 = 30.0;
    pub(super) const FILTERED: f64 = 60.0;
    pub(super) const BLURRED: f64 = 120.0;
    pub(super) const LIT: f64 = 150.0;
    pub(super) const OCTAVE: f64 = 150.0;
    pub(super) const NEIGHBOUR: f64 = 6.0;
}

/// Judges a drawing at a scale on a canvas.
///
/// # Errors
/// `Undecodable` when it takes too much.
pub(super) fn judge(
    tree: &Tree,
    scale: (f32, f32),
    canvas: (u32, u32),
    limits: &Limits,
) -> Result<(), Error> {
    let pixels = f64::from(canvas.0) * f64::from(canvas.1);
    let mut sum = Sum { work: 0.0, bytes: 0.0, peak: 0.0, nodes: 0 };
    let root = Place { transform: Transform::from_scale(scale.0, scale.1), pixels, height: canvas.1.into() };
    // the canvas itself, and a copy
    sum.hold(pixels * 8.0, |sum| sum.children(tree.root(), root.within(tree.root().transform())))?;
    #[expect(clippy::cast_precision_loss, reason = "a bound; its last digits do not matter")]
    let bytes_max = limits.decode_bytes_max as f64;
    if sum.peak > bytes_max { Err(TOO_LARGE) } else { Ok(()) }
}

/// Where something is drawn.
#[derive(Clone, Copy)]
struct Place {
    transform: Transform,
    /// Of the canvas or layer.
    pixels: f64,
    height: f64,
}

impl Place {
    fn within(self, transform: Transform) -> Self {
        Self { transform: self.transform.pre_concat(transform), ..self }
    }

    fn scale(self) -> (f64, f64) {
        let (x, y) = self.transform.get_scale();
        (f64::from(x), f64::from(y))
    }

    /// Pixels of a box, which may stand at an angle, as far as they can lie on the canvas.
    fn area(self, width: f32, height: f32, pixels_max: f64) -> f64 {
        let (x, y) = self.scale();
        let sides = (f64::from(width) * x + 4.0, f64::from(height) * y + 4.0);
        // turned by 45 degrees the box around it is twice as large, or larger when it is thin
        let around = sides.0 * sides.1 + (sides.0 * sides.0 + sides.1 * sides.1) / 2.0;
        let has_turned = self.transform.has_skew();
        let area = if has_turned { around } else { sides.0 * sides.1 };
        // a number that is none counts as everything
        if area < pixels_max { area } else { pixels_max }
    }
}

struct Sum {
    work: f64,
    /// In use at this point of the drawing.
    bytes: f64,
    peak: f64,
    nodes: u32,
}

impl Sum {
    fn work(&mut self, nanoseconds: f64) -> Result<(), Error> {
        self.work += nanoseconds;
        // not a number is too slow as well
        if self.work <= WORK_MAX { Ok(()) } else { Err(TOO_SLOW) }
    }

    fn hold(&mut self, bytes: f64, inside: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        self.bytes += bytes;
        self.peak = self.peak.max(self.bytes);
        inside(self)?;
        self.bytes -= bytes;
        Ok(())
    }

    fn children(&mut self, group: &Group, place: Place) -> Result<(), Error> {
        for child in group.children() {
            self.nodes += 1;
            if self.nodes > NODES_MAX {
                return Err(TOO_SLOW);
            }
            match child {
                Node::Group(group) => self.group(group, place.within(group.transform()))?,
                Node::Path(path) => self.path(path, place)?,
                Node::Image(image) => self.image(image, place)?,
                Node::Text(text) => self.children(text.flattened(), place)?,
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &Group, place: Place) -> Result<(), Error> {
        if !group.should_isolate() {
            return self.children(group, place);
        }
        let around = group.layer_bounding_box();
        let pixels = place.area(around.width(), around.height(), place.pixels * LAYER_CANVASES);
        let layer = Place { pixels, height: place.height * 5.0, ..place };
        self.work(pixels * price::LAYER)?;
        self.hold(pixels * 4.0, |sum| {
            sum.children(group, layer)?;
            group.filters().iter().try_for_each(|filter| sum.filter(filter, layer))?;
            group.clip_path().map_or(Ok(()), |clip| sum.clip(clip, layer))?;
            group.mask().map_or(Ok(()), |mask| sum.mask(mask, layer))
        })
    }

    fn clip(&mut self, clip: &ClipPath, layer: Place) -> Result<(), Error> {
        self.work(layer.pixels * price::CLIP)?;
        self.hold(layer.pixels * 5.0, |sum| {
            sum.clipping(clip.root(), layer.within(clip.transform()))?;
            clip.clip_path().map_or(Ok(()), |clip| sum.clip(clip, layer))
        })
    }

    /// Groups that clip and are clipped get a whole layer each.
    fn clipping(&mut self, group: &Group, layer: Place) -> Result<(), Error> {
        for child in group.children() {
            match child {
                Node::Group(group) => {
                    let inner = layer.within(group.transform());
                    if let Some(clip) = group.clip_path() {
                        self.work(layer.pixels * price::LAYER)?;
                        self.hold(layer.pixels * 4.0, |sum| {
                            sum.clipping(group, inner)?;
                            sum.clip(clip, inner)
                        })?;
                    } else {
                        self.clipping(group, inner)?;
                    }
                }
                Node::Path(path) => self.path(path, layer)?,
                Node::Image(_) => {}
                Node::Text(text) => self.clipping(text.flattened(), layer)?,
            }
        }
        Ok(())
    }

    fn mask(&mut self, mask: &Mask, layer: Place) -> Result<(), Error> {
        self.work(layer.pixels * price::MASK)?;
        self.hold(layer.pixels * 6.0, |sum| {
            sum.children(mask.root(), layer)?;
            mask.mask().map_or(Ok(()), |mask| sum.mask(mask, layer))
        })
    }

    fn filter(&mut self, filter: &Filter, layer: Place) -> Result<(), Error> {
        let (scale_x, scale_y) = layer.scale();
        let mut results = 3.0;
        for primitive in filter.primitives() {
            results += 1.0;
            let each = match primitive.kind() {
                Kind::GaussianBlur(_) | Kind::DropShadow(_) => price::BLURRED,
                Kind::DiffuseLighting(_) | Kind::SpecularLighting(_) => price::LIT,
                Kind::Turbulence(noise) => price::OCTAVE * (1.0 + f64::from(noise.num_octaves())),
                Kind::ConvolveMatrix(matrix) => {
                    let matrix = matrix.matrix();
                    price::NEIGHBOUR * f64::from(matrix.columns()) * f64::from(matrix.rows())
                }
                Kind::Morphology(shape) => {
                    let reach = |radius: f32, scale: f64| 2.0 * f64::from(radius) * scale + 2.0;
                    let (across, down) =
                        (reach(shape.radius_x().get(), scale_x), reach(shape.radius_y().get(), scale_y));
                    price::NEIGHBOUR * (across * down).min(layer.pixels)
                }
                #[expect(clippy::cast_precision_loss, reason = "a bound; its last digits do not matter")]
                Kind::Merge(merge) => price::LAYER * merge.inputs().len() as f64,
                Kind::Image(image) => {
                    self.hold(layer.pixels * 4.0, |sum| sum.children(image.root(), layer))?;
                    price::LAYER
                }
                _ => price::FILTERED,
            };
            self.work(layer.pixels * (each + price::FILTERED))?;
        }
        // every result is kept until the last
        self.hold(layer.pixels * 4.0 * results, |_| Ok(()))
    }

    fn path(&mut self, path: &Path, place: Place) -> Result<(), Error> {
        let outline = Outline::of(path, place);
        if let Some(fill) = path.fill() {
            let around = path.bounding_box();
            let area = place.area(around.width(), around.height(), place.pixels);
            self.work(outline.filled())?;
            self.paint(fill.paint(), area, place)?;
        }
        if let Some(stroke) = path.stroke() {
            let around = path.stroke_bounding_box();
            let area = place.area(around.width(), around.height(), place.pixels);
            self.work(outline.stroked(stroke))?;
            self.paint(stroke.paint(), area, place)?;
        }
        Ok(())
    }

    fn paint(&mut self, paint: &Paint, area: f64, place: Place) -> Result<(), Error> {
        match paint {
            Paint::Color(_) => self.work(area * price::SOLID),
            Paint::LinearGradient(_) | Paint::RadialGradient(_) => self.work(area * price::GRADIENT),
            Paint::Pattern(pattern) => self.pattern(pattern, area, place),
        }
    }

    fn pattern(&mut self, pattern: &Pattern, area: f64, place: Place) -> Result<(), Error> {
        let (scale_x, scale_y) = place.within(pattern.transform()).transform.get_scale();
        let rect = pattern.rect();
        let height = f64::from(rect.height()) * f64::from(scale_y);
        let pixels = f64::from(rect.width()) * f64::from(scale_x) * height;
        let inside = Place { transform: Transform::from_scale(scale_x, scale_y), pixels, height };
        self.work(area * price::PATTERN + pixels * price::SOLID)?;
        self.hold(pixels * 4.0, |sum| sum.children(pattern.root(), inside))
    }

    fn image(&mut self, image: &Image, place: Place) -> Result<(), Error> {
        let data = match image.kind() {
            ImageKind::JPEG(data) | ImageKind::PNG(data) | ImageKind::GIF(data) | ImageKind::WEBP(data) => {
                data
            }
            // never made from what strangers send
            ImageKind::SVG(_) => return Err(TOO_SLOW),
        };
        let header = sniff::header(data)?;
        let pixels = f64::from(header.width) * f64::from(header.height);
        self.work(pixels * price::DECODED + place.pixels * price::PATTERN)?;
        self.hold(pixels * f64::from(header.decode_bytes_per_pixel.max(12)), |_| Ok(()))
    }
}

/// The edges of a shape as they are followed from row to row.
struct Outline {
    segments: f64,
    rows: f64,
    length: f64,
    height: f64,
}

impl Outline {
    fn of(path: &Path, place: Place) -> Self {
        let (_, scale_y) = place.scale();
        let mut outline = Self { segments: 0.0, rows: 0.0, length: 0.0, height: place.height };
        let mut last = resvg::tiny_skia::Point::zero();
        for segment in path.data().segments() {
            // a curve is no longer than the way along its control points, whose ends lie at least that far apart
            let points = match segment {
                PathSegment::MoveTo(to) => {
                    last = to;
                    continue;
                }
                PathSegment::LineTo(to) => [to, to, to],
                PathSegment::QuadTo(by, to) => [by, to, to],
                PathSegment::CubicTo(by, via, to) => [by, via, to],
                PathSegment::Close => continue,
            };
            for to in points {
                let (x, y) = (f64::from(to.x - last.x).abs(), f64::from(to.y - last.y).abs());
                outline.rows += (y * scale_y).min(place.height);
                outline.length += x + y;
                last = to;
            }
            outline.segments += 1.0;
        }
        outline
    }

    fn filled(&self) -> f64 {
        self.segments * price::SEGMENT + self.rows * price::EDGE
    }

    fn stroked(&self, stroke: &Stroke) -> f64 {
        let period: f32 = stroke.dasharray().map_or(0.0, |dashes| dashes.iter().sum());
        #[expect(clippy::cast_precision_loss, reason = "a bound; its last digits do not matter")]
        let parts = stroke.dasharray().map_or(0, <[f32]>::len) as f64;
        let dashes =
            if period > 0.0 { (self.length / f64::from(period) * parts).min(DASHES_MAX) } else { 0.0 };
        // two sides, and caps or joins that may reach across the canvas when the line is wide
        let segments = self.segments + dashes;
        let caps = segments * self.height.min(16.0) * price::EDGE;
        segments * price::STROKED_SEGMENT + dashes * price::DASH + self.rows * 2.0 * price::EDGE + caps
    }
}
