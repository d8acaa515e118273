// Starts the tests' server and a node on ports that the system chooses, runs the tests, and counts as the tests' own page
// does: a test passes when it and everything that it depends on pass. Every test that does not must stand in the table of
// proxy/docs/conformance.md with its reason.
//
//   node run.mjs SUITE-FOLDER OVERFALL [--verbose] [TEST-ID]...
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import readline from 'node:readline'
import { pathToFileURL } from 'node:url'

const START_MS = 60_000

const [suite, exe, ...words] = process.argv.slice(2)
const verbose = words.includes('--verbose')
const wanted = new Set(words.filter(word => !word.startsWith('--')))
const here = path.dirname(process.argv[1])
const root = path.join(suite, 'package')
const part = name => import(pathToFileURL(path.join(root, name)))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'conformance-'))
const children = []

// Starts a program and waits for the line that `find` finds something in.
function start (command, args, options, stream, find) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  children.push(child)
  return new Promise((resolve, reject) => {
    const said = []
    const late = setTimeout(() => reject(new Error(`${command} did not start:\n${said.join('\n')}`)), START_MS)
    child.on('error', reject)
    child.on('exit', code => reject(new Error(`${command} ended with ${code}:\n${said.join('\n')}`)))
    for (const name of ['stdout', 'stderr']) {
      readline.createInterface({ input: child[name] }).on('line', line => {
        if (said.length < 100) said.push(line)
        if (verbose && name === 'stdout' && wanted.size > 0) console.log(`    ${line}`)
        const found = name === stream ? find(line) : undefined
        if (found !== undefined) {
          clearTimeout(late)
          resolve(found)
        }
      })
    }
  })
}

function serverPort (line) {
  return /^Listening on .*:(\d+)\/$/.exec(line)?.[1]
}

function nodePort (line) {
  return /ready/.test(line) ? /"?http"?\W+127\.0\.0\.1:(\d+)/.exec(line)?.[1] : undefined
}

async function servers () {
  const origin = await start(process.execPath, [path.join(here, 'server.mjs'), path.join(root, 'server/server.mjs')], {
    cwd: root,
    env: { ...process.env, npm_config_port: '0', npm_config_protocol: 'http', npm_config_pidfile: path.join(folder, 'pid') }
  }, 'stdout', serverPort)
  const config = path.join(here, '../../config/examples/conformance.toml')
  return start(exe, ['run', '--config', config], {
    env: { ...process.env, LISTEN_PORT: '0', ORIGIN_PORT: origin, STATE: folder }
  }, 'stderr', nodePort)
}

async function groups () {
  const { default: all } = await part('tests/index.mjs')
  const { default: surrogate } = await part('tests/surrogate-control.mjs')
  return { main: all, surrogate: [surrogate] }
}

// `undefined` for tests that only browsers run.
function judge (tests, results, id) {
  const test = tests.get(id)
  if (results[id] === undefined) return undefined
  if (results[id] !== true) return results[id].join(': ')
  const missing = (test.depends_on ?? []).find(other => judge(tests, results, other) !== true)
  return missing === undefined ? true : `depends on ${missing}`
}

// Ids of the rows of the table.
function exceptions () {
  const page = fs.readFileSync(path.join(here, '../../proxy/docs/conformance.md'), 'utf8')
  return new Set([...page.matchAll(/^\| `([^`]+)` \| (?:required|optimal) \|/gm)].map(row => row[1]))
}

function count (title, suites, tests, results, known) {
  const score = { required: [0, 0], optimal: [0, 0], check: [0, 0], unlisted: [] }
  const lines = []
  const news = []
  for (const { id } of suites.flatMap(one => one.tests)) {
    const test = tests.get(id)
    const verdict = judge(tests, results, id)
    if (verdict === undefined) continue
    const kind = test.kind ?? 'required'
    score[kind][1] += 1
    if (verdict === true) score[kind][0] += 1
    else if (kind !== 'check' || verbose) lines.push(`  ${kind} ${test.suite}/${id}: ${test.name}\n      ${verdict}`)
    if (verdict === true && known.has(id)) news.push(`  passes, though it is listed as an exception: ${id}`)
    if (verdict !== true && kind !== 'check' && !known.has(id)) score.unlisted.push(id)
  }
  const shown = kind => `${kind} ${score[kind][0]}/${score[kind][1]}`
  console.log(`${title}: ${shown('required')}, ${shown('optimal')} (${shown('check')} say yes)`)
  lines.concat(news).forEach(line => console.log(line))
  return score
}

async function main () {
  const fetch = createRequire(path.join(suite, 'package.json'))('node-fetch')
  const { runTests, getResults } = await part('client/runner.mjs')
  const { main, surrogate } = await groups()
  const port = await servers()
  let suites = [...main, ...surrogate]
  if (wanted.size > 0) {
    const pick = tests => tests.filter(test => wanted.has(test.id)).map(test => ({ ...test, dump: verbose }))
    suites = suites.map(one => ({ ...one, tests: pick(one.tests) }))
  }
  await runTests(suites, fetch, false, `http://127.0.0.1:${port}`)
  const results = getResults()
  const everything = [...main, ...surrogate]
  const tests = new Map(everything.flatMap(one => one.tests.map(test => [test.id, { ...test, suite: one.id }])))
  const known = exceptions()
  const unlisted = [
    ...count('http-cache-tests 0.4.5', main, tests, results, known).unlisted,
    ...count('its Surrogate-Control tests, which its page leaves out', surrogate, tests, results, known).unlisted
  ]
  unlisted.forEach(id => console.log(`FAILED, and not an exception of proxy/docs/conformance.md: ${id}`))
  return unlisted.length === 0 ? 0 : 1
}

function stop () {
  children.forEach(child => child.kill('SIGKILL'))
  fs.rmSync(folder, { recursive: true, force: true })
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stop()
    process.exit(1)
  })
}
try {
  process.exitCode = await main()
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  stop()
}
process.exit()
