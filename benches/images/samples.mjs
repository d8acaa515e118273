// Chooses the files of the workloads from a folder, and makes what the folder lacks, once, the same on every machine: a
// clone holds no large photos, so the demo's are laid side by side, at about their own size, until there are enough pixels.
//
//   node samples.mjs SHARP-FOLDER FOLDER DEMO-PHOTOS MADE-FOLDER
//
// Prints a line for each file: ROLE<TAB>PATH, with roles large, alpha, animation, webp; and for each photo of the
// comparison of likeness: photo<TAB>PATH<TAB>WIDTH. What was made says so on standard error.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const [sharpFolder, folder, demo, made] = process.argv.slice(2)
const sharp = createRequire(path.join(path.resolve(sharpFolder), 'package.json'))('sharp')
sharp.cache(false)

const MEGA = 1_000_000
// hostile and damaged files are for tests, not for measuring
const SKIPPED = new Set(['bombs', 'broken'])
const LARGE_MAX = 3

async function described (file) {
  try {
    const { format, width, height, pages = 1, hasAlpha, autoOrient, space } = await sharp(file).metadata()
    const tall = pages > 1 ? height / pages : height
    return [{ file, format, width, height: tall, pages, hasAlpha, space, seen: autoOrient.width, bytes: fs.statSync(file).size }]
  } catch {
    return []
  }
}

async function pictures (root) {
  const found = []
  const entries = fs.readdirSync(root, { withFileTypes: true, recursive: true })
  const names = entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
  for (const file of names.sort()) {
    const parts = path.relative(root, file).split(path.sep)
    if (!parts.some(part => SKIPPED.has(part)) && /\.(jpe?g|png|gif|webp)$/i.test(file)) found.push(...await described(file))
  }
  return found
}

// Photos of the demo in rows and columns, as raw pixels.
async function mosaic (columns, rows, width, height) {
  const photos = fs.readdirSync(demo).filter(name => name.endsWith('.jpg')).sort()
  const tiles = []
  for (let at = 0; at < columns * rows; at++) {
    const photo = path.join(demo, photos[at % photos.length])
    // every second time round, the mirror image
    const turned = Math.floor(at / photos.length) % 2 === 1
    const input = await sharp(photo).autoOrient().flop(turned).resize(width, height, { fit: 'cover' }).png({ compressionLevel: 1 }).toBuffer()
    tiles.push({ input, left: (at % columns) * width, top: Math.floor(at / columns) * height })
  }
  const canvas = { width: columns * width, height: rows * height, channels: 3, background: 'black' }
  const { data, info } = await sharp({ create: canvas }).composite(tiles).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  return { data, raw: { width: info.width, height: info.height, channels: info.channels } }
}

async function large (name, columns, rows, tile, encoder, orientation) {
  const { data, raw } = await mosaic(columns, rows, ...tile)
  const picture = sharp(data, { raw, limitInputPixels: false })
  await (orientation ? picture.withMetadata({ orientation }) : picture).jpeg(encoder).toFile(name)
}

// 2048 x 1536 with an alpha channel that goes softly from the middle to the edge, and hard bars.
async function alpha (name) {
  const { data, raw } = await mosaic(2, 2, 1024, 768)
  const pixels = Buffer.alloc(raw.width * raw.height * 4)
  for (let at = 0; at < raw.width * raw.height; at++) {
    const [x, y] = [at % raw.width, Math.floor(at / raw.width)]
    const far = Math.hypot(x / raw.width - 0.5, y / raw.height - 0.5) * 2
    const soft = Math.round(255 * Math.min(1, Math.max(0, 1.2 - far)))
    data.copy(pixels, at * 4, at * 3, at * 3 + 3)
    pixels[at * 4 + 3] = x % 256 < 24 ? 0 : soft
  }
  await sharp(pixels, { raw: { ...raw, channels: 4 } }).png().toFile(name)
}

// 40 frames of 480 x 320 that pan over two photos.
async function animation (name) {
  const { data, raw } = await mosaic(2, 1, 720, 480)
  const [width, height, count] = [480, 320, 40]
  const frames = []
  for (let at = 0; at < count; at++) {
    const [left, top] = [Math.round(at * (raw.width - width) / (count - 1)), 4 * at]
    frames.push(await sharp(data, { raw }).extract({ left, top, width, height }).raw().toBuffer())
  }
  const tall = { width, height: height * count, channels: 3, pageHeight: height }
  await sharp(Buffer.concat(frames), { raw: tall }).gif({ delay: Array(count).fill(80), loop: 0 }).toFile(name)
}

async function webp (name) {
  const { data, raw } = await mosaic(2, 2, 816, 612)
  await sharp(data, { raw }).webp({ quality: 80 }).toFile(name)
}

// The file of that name, made if it is not there; a broken run leaves none behind.
async function make (name, maker, ...words) {
  const file = path.join(made, name)
  if (!fs.existsSync(file)) {
    fs.mkdirSync(made, { recursive: true })
    const [, stem, extension] = /^(.*)(\.\w+)$/.exec(file)
    await maker(`${stem}.part${extension}`, ...words)
    fs.renameSync(`${stem}.part${extension}`, file)
  }
  console.error(`made from the demo's photos: ${name}`)
  return file
}

async function largeFiles (found) {
  const megapixels = picture => picture.width * picture.height / MEGA
  const fit = found.filter(one => one.format === 'jpeg' && one.space === 'srgb' && megapixels(one) >= 11 && megapixels(one) <= 24)
  if (fit.length > 0) return fit.sort((a, b) => megapixels(a) - megapixels(b)).slice(0, LARGE_MAX).map(one => one.file)
  return [
    await make('mosaic-12mp-420.jpg', large, 3, 3, [1344, 1000], { quality: 95 }),
    await make('mosaic-16mp-420-orient8.jpg', large, 4, 3, [1216, 1088], { quality: 92 }, 8),
    await make('mosaic-22mp-444.jpg', large, 4, 4, [1440, 960], { quality: 88, chromaSubsampling: '4:4:4' })
  ]
}

const largest = list => list.sort((a, b) => b.bytes - a.bytes)[0]?.file
const found = await pictures(folder)
const bigs = await largeFiles(found)
for (const file of bigs) console.log(`large\t${file}`)

const soft = largest(found.filter(one => one.format === 'png' && one.hasAlpha && one.width >= 1800 && one.width <= 2400))
console.log(`alpha\t${soft ?? await make('alpha-2048.png', alpha)}`)
const moving = largest(found.filter(one => one.format === 'gif' && one.pages === 40))
console.log(`animation\t${moving ?? await make('pan-40f.gif', animation)}`)
const still = largest(found.filter(one => one.format === 'webp' && one.pages === 1 && Math.abs(one.width * one.height / MEGA - 2) < 0.5))
console.log(`webp\t${still ?? await make('mosaic-2mp.webp', webp)}`)

// large photos twice, and the demo's own: none is reduced to more than half of its width
for (const file of bigs) for (const width of [800, 400]) console.log(`photo\t${file}\t${width}`)
for (const { file, seen } of await pictures(demo)) {
  for (const width of [400, 240]) if (seen >= 2 * width) console.log(`photo\t${file}\t${width}`)
}
