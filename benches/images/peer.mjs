// sharp beside the runner of ours: the same words, the same transforms, one thread, no cache.
//
//   node peer.mjs SHARP-FOLDER time FILE TRANSFORM SECONDS   images/s, images per second of CPU time, bytes, peak KiB,
//                                                            width, height, frames
//   node peer.mjs SHARP-FOLDER write FILE TRANSFORM OUT      bytes
//   node peer.mjs SHARP-FOLDER decode FILE OUT.ppm           upright, in sRGB, without alpha: what a browser shows
//   node peer.mjs SHARP-FOLDER versions
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const RENDERINGS_MIN = 3

const [folder, command, ...words] = process.argv.slice(2)
const sharp = createRequire(path.join(path.resolve(folder), 'package.json'))('sharp')
sharp.concurrency(1)
sharp.cache(false)

const FITS = { contain: 'inside', 'scale-down': 'inside', cover: 'cover', pad: 'contain', squeeze: 'fill' }

// Reads options as they stand in URLs. `effort` is sharp's own word, for AVIF and WebP.
function parsed (text) {
  const names = { w: 'width', h: 'height', q: 'quality', f: 'format' }
  const pairs = text.split(',').map(item => item.split('='))
  return Object.fromEntries(pairs.map(([key, value]) => [names[key] ?? key, value]))
}

async function render (source, options) {
  const { width, height, quality, effort, format, fit = 'scale-down', anim } = options
  let picture = sharp(source, { animated: anim === 'true' }).autoOrient()
  if (width || height) {
    const number = value => value === undefined ? undefined : Number(value)
    const withoutEnlargement = fit === 'scale-down'
    picture = picture.resize(number(width), number(height), { fit: FITS[fit], withoutEnlargement })
  }
  const encoder = {}
  if (quality) encoder.quality = Number(quality)
  if (effort) encoder.effort = Number(effort)
  return await picture.toFormat(format, encoder).toBuffer({ resolveWithObject: true })
}

function peakKib () {
  return Number(/VmHWM:\s*(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1])
}

async function time (file, transform, seconds) {
  const source = fs.readFileSync(file)
  const options = parsed(transform)
  const { data, info } = await render(source, options)
  const cpuStart = process.cpuUsage()
  const start = performance.now()
  let count = 0
  while (count < RENDERINGS_MIN || performance.now() - start < Number(seconds) * 1000) {
    await render(source, options)
    count++
  }
  const wall = (performance.now() - start) / 1000
  const used = process.cpuUsage(cpuStart)
  const cpu = (used.user + used.system) / 1e6
  const frames = info.pages ?? 1
  const rates = [count / wall, count / cpu].map(rate => rate.toFixed(3))
  return [...rates, data.length, peakKib(), info.width, info.pageHeight ?? info.height, frames].join(' ')
}

async function write (file, transform, out) {
  const { data } = await render(fs.readFileSync(file), parsed(transform))
  fs.writeFileSync(out, data)
  return data.length
}

async function decode (file, out) {
  const picture = sharp(fs.readFileSync(file)).autoOrient().removeAlpha().toColourspace('srgb').raw()
  const { data, info } = await picture.toBuffer({ resolveWithObject: true })
  if (info.channels !== 3) throw new Error(`${file}: ${info.channels} channels`)
  fs.writeFileSync(out, Buffer.concat([Buffer.from(`P6\n${info.width} ${info.height}\n255\n`), data]))
  return `${info.width} ${info.height}`
}

function versions () {
  const { sharp: own, vips, mozjpeg, webp, aom } = sharp.versions
  return `sharp ${own} (libvips ${vips}, mozjpeg ${mozjpeg}, libwebp ${webp}, aom ${aom}, node ${process.versions.node})`
}

console.log(await { time, write, decode, versions }[command](...words))
