//! Names of parameters.

/// Names that by themselves say that a picture is to be changed.
const COMMON: &str = "\
    width w height h imwidth format fm auto quality fit resize crop dpr ar rect blur sharp \
    sharpen rot rotate flip orient bg bg-color trim pad";

/// Names that one of the services has and that are not honoured.
const ABSENT: &str = "\
    canvas precrop bw level profile montage overlay viewbox resize-filter blend duotone \
    duotone-alpha exp faceindex facepad faces fp-debug fp-z fps gam gamma high htn hue interval \
    invert inv iptc loop max-h max-w max-height max-width min-h min-w min-height min-width \
    monochrome mono nr nrs palette colors prefix page rasterize-bypass reverse rot-type sepia \
    shad skip svg-sanitize transparency upscale upscale-fallback vib mask-bg trim-md trim-sd \
    trim-alpha trim-pad border-radius border-radius-inner colorquant mark txt";

/// How more of them begin.
const ABSENT_STARTS: &str = "\
    bg-remove bg-replace blend- border- face- fill-gen fill-gradient grid- lp- mark- \
    object-removal- pdf- txt- video-";

/// Whether a name by itself says that a picture is to be changed.
pub(super) fn is_common(name: &str) -> bool {
    COMMON.split(' ').any(|common| common == name)
}

/// Parameters about the client library, and of requests for what needs no doing. They have no effect, whatever the rules
/// say of unknown ones.
pub(super) fn is_silent(name: &str) -> bool {
    matches!(name, "ixlib" | "ixid" | "dpl" | "s" | "dpi" | "region")
}

/// Why a parameter that one of the services has is refused; none for names that nobody has.
pub(super) fn absent(name: &str) -> Option<String> {
    let is_absent = ABSENT.split(' ').any(|absent| absent == name)
        || ABSENT_STARTS.split(' ').any(|start| name.starts_with(start));
    is_absent.then(|| format!("parameter {name} is not available in this version"))
}
