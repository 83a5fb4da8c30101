// Send a raw message through the HTTP door. For whoever writes a bridge; plain Node 18 or newer, no package.
//
//   DOOR_SECRET_FILE=erp-s1.secrets node publish_raw.mjs http://127.0.0.1:8080 SOURCE SHOP KIND < message.json
//
// Signed after Standard Webhooks with the first secret of the file. 503 and a lost connection are tried again, under
// the same webhook-id: what was stored the first time is not stored twice. Exit status: 0 INBOX holds it, 2 it does not.

import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const ATTEMPTS = 5

function signed(body, id, secret) {
  const timestamp = Math.floor(Date.now() / 1000)
  const mac = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${mac}` }
}

async function send(url, body, id, secret) {
  let problem = ''
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    let pause = attempt
    try {
      const headers = { 'content-type': 'application/json', ...signed(body, id, secret) }
      const answer = await fetch(url, { method: 'POST', body, headers, signal: AbortSignal.timeout(20_000) })
      const text = await answer.text()
      if (answer.status === 202) return text
      problem = `${answer.status} ${text}`
      if (answer.status !== 503) break // the request itself is wrong: sent again it would be refused again
      pause = Number(answer.headers.get('retry-after') ?? attempt)
    } catch (error) {
      problem = error.cause?.code ?? error.name
    }
    if (attempt < ATTEMPTS) await sleep(pause * 1000)
  }
  throw new Error(problem)
}

const [door, ...place] = process.argv.slice(2)
if (place.length !== 3 || !process.env.DOOR_SECRET_FILE) {
  console.error('usage: DOOR_SECRET_FILE=FILE node publish_raw.mjs URL SOURCE SHOP KIND < message.json')
  process.exit(2)
}
try {
  const [line] = readFileSync(process.env.DOOR_SECRET_FILE, 'utf8').split(/\s+/).filter(Boolean)
  const secret = Buffer.from(line.replace(/^whsec_/, ''), 'base64')
  const body = readFileSync(0)
  // Better the id of the event in your own system, if it has one; the same whenever the event is sent again.
  const id = createHash('sha256').update(body).digest('hex').slice(0, 32)
  console.log(await send(`${door}/in/${place.map(encodeURIComponent).join('/')}`, body, id, secret))
} catch (error) {
  console.error(`not taken: ${error.message}`)
  process.exitCode = 2
}
