// The digest of everything the build is made of, as web/embed_test.go computes it:
// for each file, by path, "<sha256 of content>  <path>\n".
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

const sha256 = (data) => createHash('sha256').update(data).digest('hex')

export async function digest(web) {
  const inside = (await readdir(`${web}src`, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(web.length))
  const paths = [...inside, 'package-lock.json', 'scripts/build.mjs', 'scripts/sources.mjs'].sort()
  let list = ''
  for (const path of paths) list += `${sha256(await readFile(web + path))}  ${path}\n`
  return sha256(list)
}
