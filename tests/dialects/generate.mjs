// Image URLs as the services' own clients make them, one JSON object a line:
//
//   {"client":"unpic/cloudflare","dialect":"cloudflare","url":"/cdn-cgi/image/…","width":640,"height":480,"type":"image/webp"}
//
// url is a request target of the node; width, height and type are those of the answer to a client that accepts anything
// and names nothing. Pictures are a JPEG of 4000 by 3000 pixels at /a/pic.jpg, or those that are given; boxes are at most
// --box large, and no picture may be smaller than twice that. The same seed gives the same lines.
//
//   generate.mjs [--seed N] [--count N-OF-EACH-CLIENT] [--client NAME] [--formats jpg,webp,png,avif] [--box WxH]
//                [--source PATH=WxH]...
//
// imgproxy's key and salt are 736563726574 and 68656C6C6F, imgix's token is FOO123bar.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const { values: given } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "200" },
    client: { type: "string" },
    formats: { type: "string", default: "jpg,webp,png,avif" },
    box: { type: "string", default: "1600x1200" },
    source: { type: "string", multiple: true, default: ["/a/pic.jpg=4000x3000"] },
  },
});
const folder = execFileSync(join(here, "suite.sh"), { encoding: "utf8" }).trim();
const side = (sides) => sides.split("x").map(Number);
const [boxWidth, boxHeight] = side(given.box);
const sources = given.source.map((each) => {
  const [path, size] = each.split("=");
  return [path, ...side(size)];
});
// of the line that is being made
let [source, sourceWidth, sourceHeight] = sources[0];
const formats = given.formats.split(",");
const secrets = { key: "736563726574", salt: "68656C6C6F", token: "FOO123bar" };

const require = createRequire(join(folder, "package.json"));
const { transformUrl } = await import(pathToFileURL(join(folder, "node_modules/unpic/esm/mod.js")));
const { generateImageUrl } = require("@imgproxy/imgproxy-node");
const ImgixClient = require("@imgix/js-core");
const nuxt = async (name) => {
  const module = await import(pathToFileURL(join(folder, `nuxt-image/dist/runtime/providers/${name}.js`)));
  return module.default();
};

// mulberry32
let state = Number(given.seed) >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};
const between = (least, most) => least + Math.floor(random() * (most - least + 1));
const one = (list) => list[between(0, list.length - 1)];
const maybe = (value, share = 0.7) => (random() < share ? value : undefined);

const types = { jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp", png: "image/png", avif: "image/avif" };
const typeOf = (format) => types[format] ?? types[source.split(".").pop()];

// the size of an answer, by what the fit does with the box
const rounded = (width, height) => [Math.max(1, Math.round(width)), Math.max(1, Math.round(height))];
function sized(kind, width, height, [wide, high] = [sourceWidth, sourceHeight]) {
  if (!width && !height) return [wide, high];
  if (!height) return rounded(width, (high * width) / wide);
  if (!width) return rounded((wide * height) / high, height);
  if (kind === "box") return [width, height];
  const scales = [width / wide, height / high];
  const scale = kind === "outside" ? Math.max(...scales) : Math.min(...scales);
  return rounded(wide * scale, high * scale);
}

const box = () => {
  const both = random() < 0.7;
  const width = between(16, boxWidth);
  return { width, height: both ? between(16, boxHeight) : undefined };
};
const target = (url) => {
  const parsed = new URL(url, "http://node.example");
  return parsed.pathname + parsed.search;
};
const named = (fits) => Object.keys(fits).filter((fit) => fit !== "default");
const defined = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

// what a URL says, and what is to be answered
const line = (url, [width, height], type) => ({ url, width, height, type });

function unpic(provider, fits, options = {}) {
  return () => {
    const { width, height } = box();
    const format = maybe(one(formats));
    const quality = maybe(between(20, 95));
    const fit = height && fits ? one(named(fits)) : undefined;
    const operations = defined({ fit });
    const url = transformUrl(
      { url: source, provider, width, height, format, quality },
      { [provider]: operations },
      { [provider]: options },
    );
    return line(target(url), sized(fits?.[fit ?? "default"] ?? "inside", width, height), typeOf(format));
  };
}

async function nuxtImage(name, fits, options, extra = () => ({})) {
  const provider = await nuxt(name);
  return () => {
    const { width, height } = box();
    const format = maybe(one(formats));
    const fit = maybe(one(named(fits)));
    const modifiers = defined({ width, height, format, quality: maybe(between(20, 95)), fit, ...extra() });
    const { url } = provider.getImage(source, { modifiers, ...options }, {});
    return line(target(url), sized(fits[fit ?? "default"] ?? "inside", width, height), typeOf(format));
  };
}

function imgproxyNode() {
  const { width, height } = box();
  const type = one(["fit", "fill", "fill-down", "force", "auto"]);
  const format = maybe(one(formats));
  const rotate = height && type !== "auto" ? maybe(one([0, 90, 180, 270]), 0.3) : undefined;
  const resizing = height ? type : "fit";
  const options = defined({
    resizing_type: resizing,
    width,
    height,
    format,
    quality: maybe(between(20, 95)),
    gravity: maybe({ type: one(["no", "so", "ea", "we", "noea", "nowe", "soea", "sowe", "ce", "sm"]) }),
    blur: maybe(between(1, 9), 0.2),
    rotate,
  });
  const turned = rotate % 180 === 90;
  const seen = turned ? [sourceHeight, sourceWidth] : [sourceWidth, sourceHeight];
  const isBox = ["fill", "fill-down", "force"].includes(resizing) || (resizing === "auto" && width >= height);
  const displayAs = one(["base64", "plain"]);
  const url = generateImageUrl({
    endpoint: "http://node.example/imgproxy",
    url: { value: source, displayAs },
    options,
    key: secrets.key,
    salt: secrets.salt,
  });
  return line(target(url), sized(isBox ? "box" : "inside", width, height, seen), typeOf(format));
}

const imgix = new ImgixClient({ domain: "node.example", secureURLToken: secrets.token });
function imgixCore() {
  const { width, height } = box();
  const fits = { clip: "inside", crop: "box", fill: "box", fillmax: "box", max: "inside", min: "box", scale: "box" };
  const fit = maybe(one(Object.keys(fits)));
  const dpr = maybe(one([1, 2]), 0.3);
  const format = maybe(one(formats));
  const crop = fit === "crop" && height ? maybe(one(["top", "entropy", "edges", "top,left", "faces"])) : undefined;
  const parameters = defined({ w: width, h: height, fit, fm: format, q: maybe(between(20, 95)), dpr, crop });
  const scale = dpr ?? 1;
  const size = sized(fits[fit] ?? "inside", width * scale, height && height * scale);
  return line(target(imgix.buildURL(source, parameters)), size, typeOf(format));
}

// the loaders of Next's documentation
const nextWidths = [32, 48, 64, 96, 128, 256, 384, 640, 750, 828, 1080, 1200, 1920, 2048, 3840];
const loaders = {
  default: (width, quality) => `/_next/image?url=${encodeURIComponent(source)}&w=${width}&q=${quality}`,
  deployed: (width, quality) => `/_next/image?url=${encodeURIComponent(source)}&w=${width}&q=${quality}&dpl=dpl_1`,
  akamai: (width) => `${source}?imwidth=${width}`,
  cloudflare: (width, quality) => `/cdn-cgi/image/width=${width},quality=${quality},format=auto/${source}`,
  cloudfront: (width, quality) => `${source}?format=auto&width=${width}&quality=${quality}`,
  fastly: (width, quality) => `${source}?auto=webp&width=${width}&quality=${quality}`,
  gumlet: (width, quality) => `${source}?format=auto&w=${width}&q=${quality}`,
  imgix: (width, quality) => `${source}?auto=format&fit=max&w=${width}&q=${quality}`,
  supabase: (width, quality) => `${source}?width=${width}&quality=${quality}`,
};
const loader = (name) => () => {
  const width = one(nextWidths.filter((width) => width <= sourceWidth));
  const isDefault = name === "default" || name === "deployed";
  const url = loaders[name](width, isDefault ? 75 : between(20, 95));
  return line(url, sized("inside", width), typeOf());
};
const unpicNext = () => {
  const width = one(nextWidths.filter((width) => width <= sourceWidth));
  const url = transformUrl({ url: source, provider: "nextjs", width, quality: 75 }, {}, {});
  return line(target(url), sized("inside", width), typeOf());
};

const cover = { default: "box", cover: "box", contain: "inside" };
const sharp = { default: "box", cover: "box", contain: "box", fill: "box", inside: "inside", outside: "outside" };
const clients = {
  "unpic/cloudflare": ["cloudflare", unpic("cloudflare", { ...cover, pad: "box", "scale-down": "inside" })],
  "unpic/nextjs": ["next", unpicNext],
  "unpic/ipx": ["ipx", unpic("ipx", sharp, { baseURL: "http://node.example/_ipx" })],
  "unpic/netlify": ["query", unpic("netlify", { ...cover, fill: "box" })],
  "nuxt/cloudflare": [
    "cloudflare",
    await nuxtImage(
      "cloudflare",
      { default: "inside", cover: "box", contain: "inside", fill: "inside", outside: "box", inside: "box" },
      { baseURL: "/" },
    ),
  ],
  "nuxt/fastly": [
    "query",
    await nuxtImage(
      "fastly",
      { default: "box", cover: "inside", contain: "inside", fill: "box", inside: "box", outside: "box" },
      { baseURL: "/" },
    ),
  ],
  "nuxt/gumlet": [
    "query",
    await nuxtImage("gumlet", { default: "inside", clip: "inside", crop: "box", max: "inside" }, { baseURL: "/" }),
  ],
  "nuxt/imgproxy": [
    "imgproxy",
    await nuxtImage(
      "imgproxy",
      { default: "inside", cover: "box", contain: "box", fill: "box", inside: "inside", outside: "box" },
      { baseURL: "/imgproxy", key: secrets.key, salt: secrets.salt },
    ),
  ],
  "nuxt/ipx": ["ipx", await nuxtImage("ipx", sharp, { baseURL: "/_ipx" })],
  "nuxt/netlify": ["query", await nuxtImage("netlifyImageCdn", { ...cover, default: "inside", fill: "box" }, {})],
  "imgproxy-node": ["imgproxy", imgproxyNode],
  "imgix/js-core": ["query", imgixCore],
};
for (const name of Object.keys(loaders)) {
  const dialect = { default: "next", deployed: "next", cloudflare: "cloudflare" }[name] ?? "query";
  clients[`next/${name}`] = [dialect, loader(name)];
}
// without a signature, for a node that has no imgix token
const unsigned = { "unpic/imgix": unpic("imgix", { default: "box", min: "box", crop: "box", max: "inside", scale: "box" }) };
unsigned["nuxt/imgix"] = await nuxtImage(
  "imgix",
  { default: "inside", fill: "box", inside: "inside", outside: "box", cover: "box", contain: "box" },
  { baseURL: "/" },
);
for (const [name, make] of Object.entries(unsigned)) clients[name] = ["query", make];

const names = Object.keys(clients).filter((name) => !given.client || name === given.client);
if (names.length === 0) {
  console.error(`no client ${given.client}; there are: ${Object.keys(clients).join(", ")}`);
  process.exit(2);
}
for (const client of names) {
  const [dialect, make] = clients[client];
  for (let at = 0; at < Number(given.count); at += 1) {
    if (sources.length > 1) [source, sourceWidth, sourceHeight] = one(sources);
    console.log(JSON.stringify({ client, dialect, ...make() }));
  }
}
