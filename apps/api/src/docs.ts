/** The browsable documentation: Swagger UI from the installed package, nothing loaded from elsewhere. */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { RequestHandler } from 'express'

const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Postel API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

// Without validatorUrl: null the page would send the document to a validator on the Internet.
const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null })
`

/** The paths of the documentation and what serves them. */
export function docs(): { path: string; handler: RequestHandler }[] {
  return [
    { path: '/docs', handler: text('html', page) },
    { path: '/docs/start.js', handler: text('js', start) },
    ...['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'].map((name) => ({
      path: `/docs/${name}`,
      handler: asset(name),
    })),
  ]
}

function text(type: string, content: string): RequestHandler {
  return (_request, response) => {
    response.set({ 'content-security-policy': policy, 'referrer-policy': 'no-referrer' })
    response.type(type).send(content)
  }
}

function asset(name: string): RequestHandler {
  return (_request, response, next) => {
    response.sendFile(
      name,
      { root: assets, cacheControl: false, headers: { 'cache-control': 'public, max-age=3600' } },
      next,
    )
  }
}
