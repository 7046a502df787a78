// Demo page, widget and console in a real Chromium against the real server. Each
// test is a visit with a browser of its own; a page that logs an error, breaks its
// content policy or throws fails the test that opened it.
//
//   node tests/browser.mjs [part of a test's name]
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import axe from 'axe-core'
import { launch } from './chromium.mjs'
import { startServer } from './server.mjs'

const server = await startServer()
const chromium = await launch()
const { electronics } = server.keys
const tests = []
const test = (name, visit) => tests.push({ name, visit })

const phone = { width: 390, height: 844 }
const desk = { width: 1440, height: 900 }

/** api calls the server as the workspace's own back end. */
async function api(path, body) {
  const response = await fetch(server.url + path, {
    method: body ? 'POST' : 'GET',
    headers: { Authorization: `Bearer ${electronics.secret_key}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  assert.ok(response.ok, `${path}: ${response.status}`)
  return response.json()
}

const decide = (user, text, more = {}) => api('/v1/decisions', { user_id: user, placement: 'chat', enquiry: { text }, scene: { channel: 'web', locale: 'zh-CN' }, ...more })

/** eventually asks until something is true; what it waits for is an event, not a moment. */
async function eventually(what, check) {
  for (let i = 0; i < 600; i++) {
    const value = await check()
    if (value) return value
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail(`never: ${what}`)
}

async function noSeriousFinding(page, what) {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }))
  const found = violations.filter((v) => ['serious', 'critical'].includes(v.impact))
  assert.deepEqual(found.map((v) => `${what}: ${v.id} at ${v.nodes.map((n) => n.target.flat().join(' ')).join(', ')}: ${v.nodes[0].failureSummary}`), [])
}

async function fitsTheScreen(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(over <= 0, `${what} is ${over} px wider than the screen`)
}

const demo = async (page, search = '?lang=zh-CN&customer=lin') => {
  await page.goto(`${server.url}/demo/${search}`)
  await page.waitForSelector('#page[data-ready]')
}
const answered = (page) => page.waitForSelector('rapport-adviser .turn.customer ~ .turn[data-decision]')
const withKey = (page) => page.addInitScript((key) => sessionStorage.setItem('rapport.key', key), electronics.secret_key)

test('a customer presses a suggested enquiry and reads why, down to the records', async ({ page }) => {
  await demo(page)
  await page.getByRole('button', { name: '设备发热严重' }).click()
  await answered(page)
  const block = page.locator('rapport-adviser .turn.customer ~ .turn .block[data-action=replace_device]')
  await block.getByRole('heading', { name: '免费换一台同型号新机' }).waitFor()
  const why = block.locator('details')
  await why.locator('summary').click()
  assert.equal(await why.locator('.records li[data-ref^="evt_"]').count(), 2, 'both repairs are named')
  assert.match(await page.locator('.proof').innerText(), /权益[\s\S]*免费换一台同型号新机[\s\S]*必定给出/)
})

test('the same page answers in English', async ({ page }) => {
  await demo(page, '?lang=en&customer=lin')
  await page.getByRole('button', { name: 'My laptop is overheating badly' }).click()
  await answered(page)
  const answer = await page.locator('rapport-adviser .log').innerText()
  assert.match(answer, /free of charge/)
  assert.doesNotMatch(await page.locator('.proof h2, .proof h3, .rail legend').allInnerTexts().then((t) => t.join()), /\p{Script=Han}/u)
})

test('the page follows the browser’s language', async ({ visit }) => {
  const page = await visit({ locale: 'en-GB' })
  await demo(page, '')
  assert.equal(await page.getAttribute('html', 'lang'), 'en')
  const chinese = await visit({ locale: 'zh-TW' })
  await demo(chinese, '')
  assert.equal(await chinese.getAttribute('html', 'lang'), 'zh-CN')
})

test('phone and desktop are two scenes of one enquiry', async ({ page }) => {
  const devices = []
  page.on('request', (r) => { if (r.url().endsWith('/messages')) devices.push(r.postDataJSON().scene.device.type) })
  // A visitor is new each time: nothing was told before.
  const ask = async (screen) => {
    await demo(page, '?lang=zh-CN&customer=visitor')
    await page.getByRole('radio', { name: screen, exact: true }).check()
    await page.locator('.asks button').first().click()
    await answered(page)
    return page.locator('rapport-adviser tbody tr').count()
  }
  const onDesktop = await ask('电脑')
  const onPhone = await ask('手机')
  assert.deepEqual(devices, ['desktop', 'mobile'])
  assert.ok(onDesktop > onPhone && onPhone > 0, `rows: ${onDesktop} on a desktop, ${onPhone} on a phone`)
})

test('what was seen, opened and accepted comes back as events, once each', async ({ page }) => {
  await demo(page, '?lang=zh-CN&customer=chen')
  await page.getByRole('button', { name: '手机又自动关机了' }).click()
  const turn = await answered(page)
  const decision = await turn.getAttribute('data-decision')
  const block = page.locator('rapport-adviser .turn.customer ~ .turn .block[data-action]').first()
  const action = await block.getAttribute('data-action')
  await block.scrollIntoViewIfNeeded()
  await block.locator('summary').click()
  for (const input of await block.locator('form input').all()) await input.fill('明天上午')
  await block.locator('button[type=submit]').click()
  await block.getByText('已记下您的选择。').waitFor()
  const names = await eventually('shown, opened and accepted in the timeline', async () => {
    const { items } = await api('/v1/people/user:chen/timeline?limit=50')
    const mine = items.filter((i) => i.properties?.decision_id === decision && i.properties.action === action).map((i) => i.event).sort()
    return mine.includes('Accepted') && mine.includes('Opened') && mine.includes('Decision Shown') ? mine : null
  })
  assert.deepEqual(names, ['Accepted', 'Decision Shown', 'Opened'])
})

test('a customer declines, and is not asked again in the same breath', async ({ page }) => {
  await demo(page, '?lang=zh-CN&customer=chen')
  await page.getByRole('button', { name: '手机又自动关机了' }).click()
  const decision = await (await answered(page)).getAttribute('data-decision')
  const block = page.locator('rapport-adviser .turn.customer ~ .turn .block[data-nature=goodwill]').first()
  const action = await block.getAttribute('data-action')
  await block.getByRole('button', { name: '不用了，这类消息以后少发' }).click()
  await block.getByText('好的，这类消息以后少发。').waitFor()
  assert.equal(await block.locator('form').count(), 0)
  await eventually('the refusal is in the log', async () => {
    const { items } = await api('/v1/people/user:chen/timeline?limit=50')
    return items.some((i) => i.event === 'Dismissed' && i.properties.decision_id === decision && i.properties.action === action)
  })
})

test('the keyboard alone is enough', async ({ page }) => {
  await demo(page)
  const box = page.getByRole('textbox', { name: '说说您的情况' })
  await box.focus()
  await page.keyboard.type('设备')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('发热严重')
  await page.keyboard.press('Enter')
  await answered(page)
  assert.equal(await box.inputValue(), '')
  assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.tagName), 'TEXTAREA', 'one can go on typing')
  assert.equal(await page.locator('rapport-adviser [role=log]').getAttribute('aria-label'), '对话')
})

test('a half-typed Chinese word is not sent', async ({ page }) => {
  await demo(page)
  const box = page.getByRole('textbox', { name: '说说您的情况' })
  await box.fill('fare')
  await box.evaluate((el) => el.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true })))
  assert.equal(await box.inputValue(), 'fare')
  assert.equal(await page.locator('rapport-adviser .turn.customer').count(), 0)
})

test('personalisation is the customer’s own switch and counts at once', async ({ page }) => {
  await demo(page, '?lang=zh-CN&customer=wang')
  const toggle = page.getByRole('switch', { name: '按我的情况回答' })
  await eventually('the switch knows its state', () => toggle.isEnabled())
  assert.ok(await toggle.isChecked())
  await toggle.uncheck()
  await page.getByText('个性化已关闭，马上生效。').waitFor()
  assert.equal((await api('/v1/people/user:wang')).preferences.personalization, 'off')
  await page.getByRole('button', { name: '对比A和B型号' }).first().click()
  await answered(page)
  await page.getByText('没有参考个人情况').waitFor()
  await toggle.check()
  await page.getByText('个性化已打开，马上生效。').waitFor()
  assert.equal((await api('/v1/people/user:wang')).preferences.personalization, 'on')
})

test('a visitor is nobody, has no switch and sees nobody’s records', async ({ page }) => {
  await demo(page, '?lang=zh-CN&customer=visitor')
  assert.equal(await page.getByRole('switch').count(), 0)
  const asked = page.waitForRequest((r) => r.url().endsWith('/messages'))
  await page.locator('.asks button').first().click()
  const body = (await asked).postDataJSON()
  assert.equal(body.user_id, undefined)
  assert.ok(body.anonymous_id.length > 16)
  await answered(page)
  assert.equal(await page.locator('rapport-adviser [data-ref^="evt_"]').count(), 0)
})

test('a several-fold enquiry is repeated, and a tap says one part again', async ({ page }) => {
  await demo(page, '?lang=zh-CN&customer=emma')
  await page.getByRole('button', { name: '我的笔记本又发烫了，另外耳机到哪了' }).click()
  await answered(page)
  await page.locator('rapport-adviser .options button').first().click()
  await page.waitForFunction(() => document.querySelector('rapport-adviser').shadowRoot.querySelectorAll('.turn.customer').length === 2)
})

/** inConversation waits for the page's conversation to be open and followed, and names it. */
async function inConversation(page, go) {
  const stream = page.waitForResponse((r) => r.url().endsWith('/stream') && r.ok())
  await go()
  return new URL((await stream).url()).pathname.replace(/\/stream$/, '')
}
const texts = async (page, which) => (await page.locator(`rapport-adviser .turn.${which}`).allInnerTexts()).map((t) => t.replace(/\n+/g, '\n'))

test('who left something open is met with it before they speak', async ({ page }) => {
  await demo(page, '?lang=zh-CN&customer=zhao')
  const turn = await page.waitForSelector('rapport-adviser .turn[data-decision]')
  assert.match(await turn.innerText(), /扫地机器人.*维修还在办/)
  assert.equal(await page.locator('rapport-adviser .turn').count(), 1, 'and the plain welcome is not said besides')
})

test('a person is asked for, told of only when there, and speaks in the same chat', async ({ page }) => {
  const at = await inConversation(page, () => demo(page, '?lang=zh-CN&customer=zhou'))
  const box = page.getByRole('textbox', { name: '说说您的情况' })
  const say = async (text) => { await box.fill(text); await box.press('Enter') }
  await say('转人工')
  const state = page.locator('rapport-adviser .state')
  await state.filter({ hasText: /已请同事来接，前面(没有人在等|还有 \d+ 位)/ }).waitFor()
  assert.deepEqual(await texts(page, 'note'), [], 'nobody is there yet')
  const block = page.locator('rapport-adviser .block.handover').first()
  await block.locator('summary').click()
  assert.match(await block.locator('details').innerText(), /您想找人来办/)
  await api(`${at}/accept`, { agent: { id: 'employee-7', name: '小林' } })
  await page.getByText('小林来了，前面的情况都已交给对方，您不用再说一遍。').waitFor()
  await state.filter({ hasText: '小林正在接待您' }).waitFor()
  assert.equal(await page.getByText('智能服务，不是真人').isVisible(), false, 'a person is not called a machine')
  await say('在吗')
  await api(`${at}/messages`, { role: 'agent', text: '在的，您说。', agent: { name: '小林' } })
  await page.locator('rapport-adviser .turn.person', { hasText: '在的，您说。' }).waitFor()
  assert.deepEqual(await texts(page, 'person'), ['小林\n在的，您说。'])
  await noSeriousFinding(page, 'a chat with a person')
  await api(`${at}/return`, { agent: { name: '小林' }, solved: true })
  await page.getByText('小林已经处理完，现在由我接着帮您。').waitFor()
  await page.getByText('智能服务，不是真人').waitFor()
  assert.equal(await state.isVisible(), false)
  assert.doesNotMatch(await page.locator('rapport-adviser .log').innerText(), /employee-7/)
})

test('what was said while the line was broken comes once when it is back', async ({ page, allow }) => {
  allow(/ERR_|Failed to load/)
  const streams = '**/v1/conversations/*/stream'
  let broken = true
  await page.route(streams, (route) => (broken ? route.abort() : route.continue()))
  const opened = page.waitForRequest((r) => r.url().endsWith('/stream'))
  await demo(page, '?lang=zh-CN&customer=visitor')
  const at = new URL((await opened).url()).pathname.replace(/\/stream$/, '')
  await page.getByRole('textbox', { name: '说说您的情况' }).fill('转人工')
  await page.keyboard.press('Enter')
  await answered(page)
  for (const text of ['第一句', '第二句']) await api(`${at}/messages`, { role: 'agent', text, agent: { name: '小林' } })
  broken = false
  await page.getByText('第二句').waitFor()
  assert.deepEqual(await texts(page, 'person'), ['小林\n第一句', '小林\n第二句'])
  assert.equal(await page.locator('rapport-adviser .turn.customer').count(), 1)
  assert.equal(await page.locator('rapport-adviser .turn[data-decision]').count(), 1, 'the answer is not told again')
})

test('a reload goes on with the same conversation, and shows what was said', async ({ page }) => {
  const posts = []
  page.on('request', (r) => { if (r.method() === 'POST' && r.url().endsWith('/v1/conversations')) posts.push(r.url()) })
  const at = await inConversation(page, () => demo(page, '?lang=zh-CN&customer=zhou'))
  const box = page.getByRole('textbox', { name: '说说您的情况' })
  await box.fill('发票能改抬头吗')
  await box.press('Enter')
  await answered(page)
  await api(`${at}/messages`, { role: 'agent', text: '我来看一下。', agent: { name: '小林' } })
  await page.locator('rapport-adviser .turn.person', { hasText: '我来看一下。' }).waitFor()
  const shown = () => page.locator('rapport-adviser .turn').evaluateAll((all) => all.map((t) => `${t.className} ${t.dataset.decision ?? t.innerText}`).filter((t) => !t.startsWith('turn adviser 您好')))
  const before = await shown()
  const resumed = page.waitForRequest((r) => r.url().endsWith('/stream'))
  await page.reload()
  const stream = await resumed
  assert.equal(new URL(stream.url()).pathname, `${at}/stream`, 'the same conversation')
  assert.match(stream.headers()['last-event-id'], /^evt_/, 'taken up behind the last entry')
  await page.locator('rapport-adviser .turn.person', { hasText: '我来看一下。' }).waitFor()
  assert.deepEqual(await shown(), before)
  await page.locator('rapport-adviser .state', { hasText: '小林正在接待您' }).waitFor()
  assert.equal(posts.length, 1, 'no second conversation was opened')
  await api(`${at}/messages`, { role: 'agent', text: '可以改。', agent: { name: '小林' } })
  await page.locator('rapport-adviser .turn.person', { hasText: '可以改。' }).waitFor()
  assert.equal(await page.locator('rapport-adviser .turn.person').count(), 2, 'nothing comes twice')
})

test('a photo and a voice message go to a person with the rest', async ({ page, allow }) => {
  allow(/Failed to load|ERR_/)
  await inConversation(page, () => demo(page, '?lang=zh-CN&customer=visitor'))
  assert.equal(await page.locator('rapport-adviser .attach').count(), 0, 'nobody takes files here')
  let uploads = 0
  await page.route('**/files', (route) => { uploads++; return uploads === 2 ? route.abort() : route.fulfill({ json: { url: `/kept/${uploads}` } }) })
  const at = await inConversation(page, () => page.locator('rapport-adviser').evaluate((el) => el.setAttribute('upload', '/files')))
  const file = page.locator('rapport-adviser input[type=file]')
  await file.waitFor({ state: 'attached' })
  await page.getByRole('button', { name: '发照片或语音' }).waitFor()
  const box = page.getByRole('textbox', { name: '说说您的情况' })
  await box.fill('机器外壳裂了，您看看')
  await file.setInputFiles({ name: '裂缝.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('a photo') })
  await answered(page)
  assert.deepEqual(await texts(page, 'customer'), ['机器外壳裂了，您看看\n📎 裂缝.jpg'])
  await file.setInputFiles({ name: 'voice.m4a', mimeType: 'audio/mp4', buffer: Buffer.from('a voice') })
  await page.getByText('刚才没有连上，您的话没有送到。').waitFor()
  await page.getByRole('button', { name: '再发一次' }).click()
  const sent = await eventually('both are in the conversation', async () => {
    const { messages } = await api(at)
    const all = messages.filter((m) => m.role === 'user').flatMap((m) => m.attachments ?? [])
    return all.length === 2 ? all : null
  })
  assert.deepEqual(sent, [{ kind: 'image', url: `${server.url}/kept/1`, name: '裂缝.jpg' }, { kind: 'voice', url: `${server.url}/kept/3`, name: 'voice.m4a' }])
  const id = at.split('/').at(-1)
  const waiting = await eventually('a person is asked', async () => (await api('/v1/handovers')).items.find((q) => q.conversation_id === id))
  assert.ok(waiting.brief.attachments.some((a) => a.name === '裂缝.jpg'), 'and gets the photo')
  await noSeriousFinding(page, 'a chat with files')
})

test('where nobody takes files this is said, and no word is lost', async ({ visit }) => {
  for (const [lang, placeholder, said] of [['zh-CN', '说说您的情况', '这里还收不了照片和文件。'], ['en', "Tell me what's going on", 'Photos and files can’t be taken here yet.']]) {
    const page = await visit({ locale: lang })
    await demo(page, `?lang=${lang}&customer=visitor`)
    const box = page.getByRole('textbox', { name: placeholder })
    await box.fill('a crack')
    await box.evaluate((el) => {
      const data = new DataTransfer()
      data.items.add(new File(['x'], 'crack.png', { type: 'image/png' }))
      el.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
    })
    await page.locator('rapport-adviser .turn.note', { hasText: said }).waitFor()
    assert.equal(await box.inputValue(), 'a crack')
    assert.equal(await page.locator('rapport-adviser .turn.customer').count(), 0)
    await noSeriousFinding(page, 'a chat that takes no files')
  }
})

test('who writes in the other language is answered in it', async ({ visit }) => {
  const page = await visit()
  await demo(page, '?lang=zh-CN&customer=chen')
  const box = page.getByRole('textbox', { name: '说说您的情况' })
  await box.fill('my phone keeps shutting itself down')
  await box.press('Enter')
  const turn = await answered(page)
  assert.equal(await turn.getAttribute('lang'), 'en')
  assert.doesNotMatch(await turn.innerText(), /\p{Script=Han}/u)
  const english = await visit({ locale: 'en' })
  await demo(english, '?lang=en&customer=chen')
  const field = english.getByRole('textbox', { name: "Tell me what's going on" })
  await field.fill('手机又自动关机了')
  await field.press('Enter')
  assert.equal(await (await answered(english)).getAttribute('lang'), 'zh-CN')
})

test('what a model worded is marked, wherever it is shown', async ({ visit }) => {
  for (const [lang, mark, scheme] of [['zh-CN', 'AI 生成', 'light'], ['en', 'AI generated', 'dark']]) {
    const page = await visit({ locale: lang, colorScheme: scheme })
    const worded = async (route) => {
      const response = await route.fetch()
      const answer = await response.json()
      for (const b of answer.blocks ?? []) if (b.text) b.generated = mark
      await route.fulfill({ response, json: answer })
    }
    await page.route('**/v1/conversations/*/messages', worded)
    await page.route('**/v1/decisions/dec_*', worded)
    await demo(page, `?lang=${lang}&customer=lin&theme=${scheme}`)
    await page.locator('.asks button').first().click()
    const decision = await (await answered(page)).getAttribute('data-decision')
    await page.locator('rapport-adviser .generated', { hasText: mark }).first().waitFor()
    await noSeriousFinding(page, `a marked answer, ${scheme}`)
    await withKey(page)
    await page.goto(`${server.url}/console/decisions/${decision}`)
    await page.locator('.seen .generated', { hasText: mark }).first().waitFor()
    await noSeriousFinding(page, `a marked answer in the console, ${scheme}`)
  }
})

test('a server that is away is said so, and the same words can be sent again', async ({ page, allow }) => {
  allow(/Failed to load resource|ERR_FAILED/)
  await demo(page)
  await page.route('**/v1/conversations/*/messages', (route) => route.abort())
  await page.getByRole('button', { name: '设备发热严重' }).click()
  await page.getByText('刚才没有连上，您的话没有送到。').waitFor()
  await page.unroute('**/v1/conversations/*/messages')
  await page.getByRole('button', { name: '再发一次' }).click()
  await answered(page)
  assert.equal(await page.locator('rapport-adviser .turn.customer').count(), 1)
})

test('the widget is a quiet guest in another’s page', async ({ visit }) => {
  const host = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.setHeader('Content-Security-Policy', `default-src 'none'; script-src ${server.url}; connect-src ${server.url}`)
    response.end(`<!doctype html><html lang="en"><title>A shop</title><body style="font:40px serif"><h1>A shop</h1>
      ${request.url === '/bare' ? '' : `<script src="${server.url}/widget.js" data-write-key="${electronics.write_key}" data-brand="Zhiyin" async></script>`}`)
  })
  await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve))
  const home = `http://127.0.0.1:${host.address().port}`
  try {
    const bare = await visit({ allow: /style/ })
    await bare.goto(`${home}/bare`)
    const before = await bare.evaluate(() => Object.getOwnPropertyNames(window).sort())
    const page = await visit({ allow: /style/ })
    await page.goto(home)
    const button = page.getByRole('button', { name: 'Ask the adviser' })
    await button.click()
    assert.deepEqual(await page.evaluate(() => Object.getOwnPropertyNames(window).sort()), before, 'no global')
    const dialog = page.getByRole('dialog', { name: 'Zhiyin service adviser' })
    await page.keyboard.type('How do I change the filter of my water purifier?')
    await page.keyboard.press('Enter')
    await answered(page)
    await noSeriousFinding(page, 'the open widget')
    assert.equal(await dialog.evaluate((el) => getComputedStyle(el).fontSize), '15px', 'the host’s style stays outside')
    await page.keyboard.press('Escape')
    assert.equal(await dialog.count(), 0)
    assert.equal(await button.getAttribute('aria-expanded'), 'false')
    assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.className), 'launch', 'the focus returns')
  } finally {
    host.close()
  }
})

test('a login link opens the console once', async ({ visit }) => {
  const page = await visit()
  await page.goto(`${server.login}`)
  await page.getByRole('heading', { name: '决策台账' }).waitFor()
  assert.equal(new URL(page.url()).pathname, '/console/')
  await page.getByRole('combobox', { name: '工作区' }).selectOption('banking')
  const { items } = await (await fetch(`${server.url}/v1/decisions?limit=1`, { headers: { Authorization: `Bearer ${server.keys.banking.secret_key}` } })).json()
  const there = items.length ? page.locator(`.ledger a[href*="${items[0].id}"]`) : page.getByText('还没有决策。')
  await eventually('the list of another workspace', () => there.first().isVisible())
  const second = await visit({ allow: /401|404/ })
  const response = await second.goto(`${server.login}`)
  assert.equal(response.status(), 401)
  await page.getByRole('button', { name: '退出' }).click()
  await page.getByRole('heading', { name: '登录控制台' }).waitFor()
})

test('the door takes a secret key and refuses any other', async ({ visit }) => {
  const page = await visit({ allow: /401|403/ })
  await page.goto(`${server.url}/console/`)
  const key = page.getByRole('textbox', { name: '密钥' })
  await key.fill('sk_wrong')
  await page.getByRole('button', { name: '进入' }).click()
  await page.getByText('这把密钥打不开任何工作区。').waitFor()
  await key.fill(electronics.secret_key)
  await page.getByRole('button', { name: '进入' }).click()
  await page.getByRole('heading', { name: '决策台账' }).waitFor()
})

test('a version is drafted, tried on some, promoted and rolled back by somebody else than who wrote it', async ({ visit, allow }) => {
  allow(/409/)
  const { secret_key: key } = server.keys.retail
  const call = async (method, path, body, as = key) => {
    const r = await fetch(`${server.url}${path}`, { method, headers: { Authorization: `Bearer ${as}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
    const answer = await r.json()
    assert.ok(r.ok, `${method} ${path}: ${JSON.stringify(answer)}`)
    return answer
  }
  const ann = await call('POST', '/v1/keys', { name: '陈静', roles: ['approver'] })
  const bob = await call('POST', '/v1/keys', { name: '李想', roles: ['approver'] })
  await call('PUT', '/v1/settings', { two_approvers: true })
  const openAs = async (member) => {
    const page = await visit()
    const { url } = await call('POST', `/v1/keys/${member.id}/login`, {}, member.key)
    await page.goto(server.url + url)
    await page.goto(`${server.url}/console/strategies`)
    return page
  }
  const hers = await openAs(ann)
  await hers.getByRole('link', { name: '起草新版本' }).click()
  await hers.getByLabel('路径').fill('own/birthday.yaml')
  await hers.getByLabel('内容（YAML）').fill(`pack: own
actions:
  - id: birthday_card
    nature: goodwill
    impact: major
    serves: [other.chitchat]
    title: {zh: 送您一张生日卡, en: A birthday card}
    eligibility: [{id: club, rule: scene.store == 'club', reason: {zh: 只在会员店, en: only in the club}}]
    reasons: [{text: {zh: 生日快乐, en: Happy birthday}}]
`.replace('other.chitchat', 'presale.price_promo'))
  await hers.getByLabel('说明').fill('会员店生日月送卡')
  await hers.getByRole('button', { name: '保存为草稿' }).click()
  await hers.getByText('没有发现问题').waitFor()
  await hers.getByText('own/birthday.yaml').first().waitFor()
  await hers.getByText('要先有另一个人批准').waitFor()
  assert.ok(await hers.getByRole('button', { name: '发布', exact: true }).isDisabled(), 'nobody publishes it alone')
  await hers.getByRole('button', { name: '开始试算' }).click()
  await hers.getByText('证据不足').waitFor()
  await hers.getByRole('button', { name: '提交审批' }).click()
  await hers.getByRole('button', { name: '撤回' }).waitFor()
  const his = await openAs(bob)
  await his.getByText('陈静提交').waitFor()
  await his.getByRole('link', { name: '第 2 版' }).first().click()
  await his.getByRole('button', { name: '批准', exact: true }).click()
  await his.getByText('已批准').waitFor()
  await his.getByLabel('先对一部分顾客（灰度）').check()
  await his.getByRole('button', { name: '发布', exact: true }).click()
  await his.getByText('正在对 5% 的顾客灰度').waitFor()
  await his.getByRole('button', { name: '推广到所有顾客' }).or(his.getByLabel('推广到所有顾客')).first().waitFor()
  await his.getByLabel('推广到所有顾客').check()
  await his.getByRole('button', { name: '推广到所有顾客' }).click()
  await his.getByText('这个版本正在服务。').waitFor()
  await his.goto(`${server.url}/console/strategies/1`)
  await his.getByRole('button', { name: '回滚到这一版' }).click()
  await his.getByRole('button', { name: '确认回滚' }).click()
  await his.getByText('这个版本正在服务。').waitFor()
  await his.getByText('回滚到此版').waitFor()
  await his.goto(`${server.url}/console/strategies`)
  await his.getByRole('button', { name: '停用 order_status' }).click()
  await his.getByLabel('原因').fill('接口在检修')
  await his.getByRole('button', { name: '立即停用' }).click()
  await his.getByText('已停用：接口在检修').waitFor()
  await his.getByRole('button', { name: '恢复 order_status' }).click()
  await his.getByRole('button', { name: '停用 order_status' }).waitFor()
})

test('a colleague takes a conversation in the console, answers and hands it back', async ({ page, visit }) => {
  await demo(page, '?lang=zh-CN&customer=chen')
  const box = page.getByRole('textbox', { name: '说说您的情况' })
  const say = async (text) => { await box.fill(text); await box.press('Enter') }
  await say('手机又自动关机了')
  await answered(page)
  await say('转人工')
  await page.locator('rapport-adviser .state').filter({ hasText: '已请同事来接' }).waitFor()
  const desk = await visit()
  await withKey(desk)
  await desk.goto(`${server.url}/console/desk`)
  await desk.locator('.queue li', { hasText: '陈宇' }).getByRole('link', { name: '转人工' }).first().click()
  await desk.getByText('接手前要知道的').waitFor()
  await desk.locator('.talk [data-who=customer]', { hasText: '手机又自动关机了' }).waitFor()
  await desk.getByLabel('您的名字').fill('小林')
  await desk.getByRole('button', { name: '我来接待' }).click()
  await page.getByText('小林来了，前面的情况都已交给对方，您不用再说一遍。').waitFor()
  await desk.getByLabel('回复', { exact: true }).fill('在的，我帮您看。')
  await desk.getByRole('button', { name: '发送' }).click()
  await page.locator('rapport-adviser .turn.person', { hasText: '在的，我帮您看。' }).waitFor()
  await say('那就拜托了')
  await desk.locator('.talk [data-who=customer]', { hasText: '那就拜托了' }).waitFor()
  await noSeriousFinding(desk, 'the desk')
  await fitsTheScreen(desk, 'the desk')
  await desk.getByRole('button', { name: '交还给顾问' }).click()
  await page.getByText('小林已经处理完，现在由我接着帮您。').waitFor()
})

test('a new decision appears in the ledger by itself', async ({ page }) => {
  await withKey(page)
  await page.goto(`${server.url}/console/`)
  await page.getByRole('heading', { name: '决策台账' }).waitFor()
  const words = '我的发票能不能改成公司抬头'
  await decide('zhou', words)
  await page.getByRole('link', { name: words.slice(0, 6) }).first().waitFor()
})

test('the ledger is filtered by person and by action', async ({ page }) => {
  const { person } = await decide('lin', '设备发热严重')
  await decide('zhou', '充电宝鼓起来了，还能继续充电吗')
  await withKey(page)
  await page.goto(`${server.url}/console/?person=user:lin&action=replace_device`)
  await page.locator('.ledger > li').first().waitFor()
  const rows = await page.locator('.ledger > li').all()
  for (const row of rows) {
    assert.match(await row.innerText(), /免费换一台同型号新机|A new one of the same model/)
    assert.equal(await row.locator('.who').getAttribute('title'), person.id)
  }
  await page.getByRole('button', { name: '清除筛选' }).click()
  await eventually('others are there again', async () => (await page.locator('.ledger > li').count()) > rows.length)
})

test('one decision: its words, its sum, its stages, its records', async ({ page }) => {
  const text = '😀😀手机又自动关机了，顺便问下发票能补吗'
  const { id, needs } = await decide('chen', text)
  await withKey(page)
  await page.goto(`${server.url}/console/decisions/${id}`)
  const heading = page.locator('h1.enquiry')
  await heading.waitFor()
  const marked = await heading.locator('mark').evaluateAll((marks) => marks.map((m) => m.firstChild.data))
  assert.deepEqual(marked, needs.filter((n) => n.span).map((n) => [...text].slice(...n.span).join('')), 'spans count runes')
  // The story's numbers are those of its proof, and each step leads there.
  const story = page.getByRole('region', { name: '这次决策的经过' })
  const told = async (step) => (await story.locator('li', { hasText: step }).locator('.number').innerText()).match(/\d+/g).map(Number)
  assert.deepEqual(await told('听懂'), [needs.length])
  assert.deepEqual(await told('查到'), [await page.locator('.evidence > li').count()])
  const [considered, given] = await told('筛选')
  assert.deepEqual(await told('给出'), [await page.locator('article.choice').count()])
  assert.ok(considered > given && given > 0, `${considered} → ${given}`)
  await story.getByRole('link', { name: '给出' }).click()
  assert.equal(await page.evaluate(() => document.activeElement.id), 'h-chosen')
  assert.ok((await page.getByText('✓ 各项相加等于得分').count()) > 0)
  assert.equal(await page.getByText('各项相加不等于得分').count(), 0)
  const stages = await page.locator('.stages h3').allInnerTexts()
  assert.ok(stages.some((s) => s.startsWith('资格')) && stages.some((s) => s.startsWith('适用')), stages.join())
  assert.ok((await page.locator('.seen .block').count()) > 0, 'the blocks as the customer saw them')
  assert.equal(await page.locator('.seen button:not([disabled])').count(), 0, 'and nothing to press')
  for (const record of await page.locator('.evidence .ref').all()) {
    await record.click()
    const dialog = page.getByRole('dialog', { name: '原始记录' })
    await dialog.locator('pre').waitFor()
    const made = dialog.locator('.refs .ref').first()
    if (await made.count()) {
      await made.click()
      await dialog.locator('pre', { hasText: 'evt_' }).waitFor()
    }
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
  }
})

test('a decision recomputes to itself, and without a repair to another', async ({ page }) => {
  const { id } = await decide('lin', '设备发热严重')
  await withKey(page)
  await page.goto(`${server.url}/console/decisions/${id}`)
  await page.getByRole('button', { name: '原样复算' }).click()
  await page.getByText('✓ 与台账完全一致').waitFor()
  await page.getByRole('button', { name: /去掉它再算.*9 月|去掉它再算.*报修/ }).first().click()
  const lost = page.locator('[data-diff=lost]')
  await lost.getByText('免费换一台同型号新机').waitFor()
  await page.getByRole('button', { name: '关闭个性化再算' }).click()
  await page.getByText('关闭个性化').last().waitFor()
  await eventually('the right stays', async () => !(await lost.count()))
})

test('a person: facts with their proof, the time line, the decisions', async ({ page }) => {
  await decide('emma', '设备发热严重')
  await withKey(page)
  await page.goto(`${server.url}/console/people`)
  await page.getByRole('textbox', { name: '查找顾客' }).fill('user:emma')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Emma Clarke' }).waitFor()
  assert.match(await page.locator('.timeline').innerText(), /报修/)
  assert.doesNotMatch(await page.locator('.facts dt, .timeline .ref').allInnerTexts().then((t) => t.join()), /[a-z]+_[a-z]+|Reported/, 'names of the contract are put into words')
  await page.locator('.signals .ref').first().click()
  await page.getByRole('dialog').locator('pre', { hasText: 'Repair Reported' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: '这位顾客的决策' }).click()
  await page.locator('.ledger > li').first().waitFor()
})

test('what is not understood stands in groups, and what was labelled is learned', async ({ page }) => {
  for (const [who, text] of [['lin', '能借你们店拍婚纱照吗'], ['chen', '你好，能借你们店拍婚纱照吗'], ['wang', '店里能借来拍婚纱照吗'], ['zhou', '能借您的店拍婚纱照吗']]) await decide(who, text)
  await withKey(page)
  await page.goto(`${server.url}/console/learning`)
  const group = page.locator('article.choice', { hasText: '婚纱照' }).first()
  await group.waitFor()
  assert.match(await group.innerText(), /\d+ 句，\d+ 人/)
  await group.getByRole('link').first().click()
  await page.locator('h1.enquiry').waitFor()
  await page.getByRole('link', { name: '学习' }).click()
  await page.getByRole('button', { name: '现在测一次' }).click()
  await page.getByText('判断正确').waitFor({ timeout: 60_000 })
  await noSeriousFinding(page, 'a measured classifier')
  await fitsTheScreen(page, 'a measured classifier')
  // Nothing is to be learned yet: the house says so.
  const { items } = await api('/v1/training-candidates')
  assert.equal(await page.locator('.waits > li').count(), items.length)
})

const entry = (from, until, summary) => `BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:${from}\r\nDTEND;VALUE=DATE:${until}\r\nSUMMARY:${summary}\r\nEND:VEVENT\r\n`
const calendarFile = (...entries) => ({ name: 'holidays.ics', mimeType: 'text/calendar', buffer: Buffer.from(`BEGIN:VCALENDAR\r\n${entries.join('')}END:VCALENDAR\r\n`) })

test('a calendar is read from a file, seen before it counts, and walked by keyboard', async ({ page, allow }) => {
  allow(/400/)
  await withKey(page)
  await page.goto(`${server.url}/console/calendars`)
  await page.getByRole('heading', { name: '载入日历' }).waitFor()
  assert.equal(await page.title(), '日历 · 默契控制台')
  const file = page.locator('input[type=file]')
  const look = page.getByRole('button', { name: '先看看会改什么' })
  await page.getByLabel('名称').fill('test_days')
  await file.setInputFiles({ name: 'broken.ics', mimeType: 'text/calendar', buffer: Buffer.from('BEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\n') })
  await look.click()
  await page.getByRole('alert').getByText('「soon」不是日期').waitFor()
  await file.setInputFiles(calendarFile(entry('20310501', '20310504', '劳动节 第 1 天'), entry('20310510', '20310511', '劳动节 补班')))
  await page.getByText('已读入 holidays.ics。').waitFor()
  await look.click()
  await page.getByRole('heading', { name: '新日历 test_days：放假 3 天，调休上班 1 天' }).waitFor()
  assert.ok(!(await api('/v1/calendars')).items.some((c) => c.id === 'test_days'), 'looking changes nothing')
  const preview = page.locator('.preview')
  await preview.getByRole('heading', { name: '2031年5月' }).waitFor()
  await noSeriousFinding(page, 'the preview of a calendar')
  await fitsTheScreen(page, 'the preview of a calendar')
  await page.getByRole('button', { name: '确认启用' }).click()
  await page.getByText('日历 test_days 已启用').waitFor()
  const { items } = await api('/v1/calendars')
  assert.deepEqual(items.find((c) => c.id === 'test_days').workdays, ['2031-05-10'])
  // What is loaded is shown, and the arrows walk over the days.
  const day = (name) => page.getByRole('gridcell', { name, exact: true })
  await day('2031年5月1日星期四、放假、劳动节 第 1 天').focus()
  for (const [key, name] of [['ArrowRight', '2031年5月2日星期五、放假、劳动节 第 1 天'], ['ArrowDown', '2031年5月9日星期五、工作日'], ['ArrowRight', '2031年5月10日星期六、调休上班、劳动节 补班'], ['PageDown', '2031年6月10日星期二、工作日'], ['Home', '2031年6月9日星期一、工作日']]) {
    await page.keyboard.press(key)
    await day(name).waitFor()
    assert.equal(await page.evaluate(() => document.activeElement.firstChild.textContent), name, key)
  }
  await page.getByRole('button', { name: /劳动节 补班/ }).press('Enter')
  await day('2031年5月10日星期六、调休上班、劳动节 补班').waitFor()
  // The same days under another name and one day less: what changes is marked.
  await file.setInputFiles(calendarFile(entry('20310501', '20310503', '劳动节'), entry('20310510', '20310511', '劳动节 补班')))
  await look.click()
  await page.getByRole('heading', { name: '日历 test_days：0 天新增或改变，1 天恢复平常' }).waitFor()
  assert.equal(await page.locator('.preview td[data-gone]').count(), 1)
})

test('a calendar that needs a second approver says so and waits', async ({ page, allow }) => {
  allow(/409/)
  await withKey(page)
  await page.route('**/v1/calendars/*', (route) => (route.request().method() === 'PUT' ? route.fulfill({ status: 409, contentType: 'application/problem+json', body: JSON.stringify({ title: '这一版要先由另一个人批准。', code: 'approval_needed' }) }) : route.continue()))
  await page.goto(`${server.url}/console/calendars`)
  await page.locator('input[type=file]').setInputFiles(calendarFile(entry('20320101', '20320102', '元旦')))
  await page.getByRole('button', { name: '先看看会改什么' }).click()
  await page.getByRole('button', { name: '确认启用' }).click()
  await page.getByRole('alert').getByText('这一版要先由另一个人批准。').waitFor()
  await page.getByRole('link', { name: '去策略页处理' }).click()
  await page.getByRole('heading', { name: '策略', exact: true }).waitFor()
})

test('coverage leads from who got nothing to the rule that did it', async ({ page }) => {
  await decide('lin', '设备发热严重')
  const { id } = await decide('nobody-helped', '能借你们店拍婚纱照吗')
  await withKey(page)
  await page.goto(`${server.url}/console/coverage`)
  await page.getByText('来过的顾客').waitFor()
  assert.equal(await page.title(), '覆盖 · 默契控制台')
  const people = page.locator('.section', { hasText: '没有得到的，断在哪一步' })
  await people.getByText('看看是谁').click()
  assert.ok((await people.locator(`a[href$="${id}"]`).count()) === 1, 'who got nothing but a person is named')
  // What passes a stage and what it stops is what came to it.
  const numbers = await page.locator('#h-stages').locator('xpath=ancestor::section').locator('.level > .number').allInnerTexts()
  let left = Number(numbers[0].match(/\d+/)[0])
  for (const line of numbers.slice(1, -1)) {
    const [stopped, passed] = line.replace('−', '').match(/\d+/g).map(Number)
    assert.equal(left - stopped, passed, line)
    left = passed
  }
  assert.equal(left, Number(numbers.at(-1).match(/\d+/)[0]), 'and who is left was offered')
  const stage = page.locator('summary.level', { hasText: '适用' })
  await stage.focus()
  await page.keyboard.press('Enter')
  const rule = page.locator('details[open] .rules li').first()
  const link = rule.getByRole('link', { name: /打开规则 / })
  const [, action] = (await link.getAttribute('aria-label')).match(/打开规则 (\w+)\//)
  await noSeriousFinding(page, 'coverage')
  await fitsTheScreen(page, 'coverage')
  await link.click()
  const text = page.getByLabel('内容（YAML）')
  await page.getByText(`动作 ${action}，第`).or(page.getByText(`光标停在动作 ${action} 上`)).waitFor()
  const marked = await text.evaluate((t) => ({ line: t.value.slice(t.selectionStart, t.selectionEnd), before: t.value.slice(0, t.selectionStart) }))
  assert.match(marked.line, /id:/)
  assert.ok((marked.before + marked.line).includes(`id: ${action}`), 'the cursor is on the rule of the action')
})

test('a page that the server does not answer says so and can be asked again', async ({ page, allow }) => {
  allow(/403/)
  await decide('lin', '设备发热严重')
  await withKey(page)
  let status = 403
  await page.route(/\/v1\/(calendars|coverage)/, (route) => (status ? route.fulfill({ status, contentType: 'application/problem+json', body: JSON.stringify({ title: '这把钥匙不能看。' }) }) : route.continue()))
  for (const path of ['calendars', 'coverage']) {
    status = 403
    await page.goto(`${server.url}/console/${path}`)
    await page.getByRole('alert').getByText('这把钥匙不能看。').waitFor()
    status = 0
    await page.getByRole('button', { name: '再试一次' }).click()
    await page.locator('.section').first().waitFor()
  }
})

test('the page is the shop of any demo workspace', async ({ page }) => {
  await demo(page)
  for (const [name, brand, customer] of [['百货', '禾木百货', '何晓'], ['银行', '安渡银行', '钱老师'], ['教育', '知行学堂', '徐然'], ['电器', '知音电器', '林岚']]) {
    await page.getByRole('radio', { name, exact: true }).check()
    await page.getByRole('heading', { name: `${brand}服务顾问` }).or(page.getByRole('region', { name: `${brand}服务顾问` })).first().waitFor()
    await page.locator('.person b', { hasText: customer }).waitFor()
    await page.locator('.asks button').last().click()
    await answered(page)
    assert.ok((await page.locator('.proof .needs li').count()) > 0, `${name} answers`)
  }
})

for (const locale of ['zh-CN', 'en']) {
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [desk, phone]) {
      test(`every page can be read by everybody: ${locale}, ${colorScheme}, ${viewport.width} px`, async ({ visit }) => {
        const page = await visit({ locale, colorScheme, viewport, allow: /401/ })
        const look = async (what) => {
          await noSeriousFinding(page, what)
          await fitsTheScreen(page, what)
        }
        await page.goto(`${server.url}/console/`)
        await page.locator('.door').waitFor()
        await look('the door')
        await demo(page, '?customer=wang')
        await look('the shop')
        await page.locator('.asks button').first().click()
        await answered(page)
        await page.locator('rapport-adviser details').first().evaluate((d) => { d.open = true })
        await page.locator('.proof .trace').waitFor()
        await look('an answer')
        const { id } = await decide('chen', '手机又自动关机了', { scene: { locale, device: { type: 'mobile' } } })
        await page.evaluate((key) => sessionStorage.setItem('rapport.key', key), electronics.secret_key)
        for (const [path, there] of [['', '.ledger > li'], [`decisions/${id}`, '.seen'], ['people', '.ledger > li'], ['desk', '.panel'], ['learning', '.section ~ .section .hint, .section ~ .section .waits'], ['strategies', '.ledger.actions > li'], ['strategies/1', '.columns'], ['strategies/new', '.draft'], ['data', '.ledger.sources > li'], ['coverage', '.funnel'], ['calendars', '.importing'], ['people/user:chen', '.timeline li']]) {
          await page.goto(`${server.url}/console/${path}`)
          await page.locator(there).first().waitFor()
          await page.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = true }))
          await look(`/console/${path}`)
        }
        await page.locator('.timeline .ref').first().click()
        await page.getByRole('dialog').locator('pre').waitFor()
        await eventually('the record has opened', () => page.evaluate(() => document.getAnimations().every((a) => a.playState === 'finished' || a.effect.getComputedTiming().iterations === Infinity)))
        await look('a raw record')
      })
    }
  }
}

let passed = 0
let failed = 0
try {
  for (const { name, visit: run } of tests.filter((t) => t.name.includes(process.argv[2] ?? ''))) {
    const contexts = []
    const faults = []
    const allowed = []
    const visit = async ({ allow, ...options } = {}) => {
      if (allow) allowed.push(allow)
      const context = await chromium.newContext({ locale: 'zh-CN', colorScheme: 'light', viewport: desk, reducedMotion: 'reduce', ...options })
      contexts.push(context)
      context.setDefaultTimeout(60_000) // a busy machine keeps a page waiting
      const page = await context.newPage()
      page.on('pageerror', (e) => faults.push(e.message))
      page.on('console', (m) => m.type() === 'error' && faults.push(m.text()))
      return page
    }
    try {
      let first
      const tools = { visit, allow: (pattern) => allowed.push(pattern) }
      // Most visits need one page; it is opened when it is asked for.
      if (/^async \(\{ page/.test(run.toString())) first = await visit()
      await run({ ...tools, page: first })
      assert.deepEqual(faults.filter((f) => !allowed.some((a) => a.test(f))), [], 'the page complains')
      passed++
      console.log(`ok    ${name}`)
    } catch (cause) {
      failed++
      console.log(`FAIL  ${name}\n      ${String(cause.message).replaceAll('\n', '\n      ')}`)
    } finally {
      for (const context of contexts) await context.close()
    }
  }
} finally {
  await chromium.close()
  await server.stop()
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
