# Check the control page's JavaScript: types (JSDoc, TypeScript's checker) and eslint. Needs Node 20 and npm; nothing is shipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/page"
npm ci --silent --no-audit --no-fund
npx --no-install tsc --project .
cd ../..
tools/page/node_modules/.bin/eslint --config tools/page/eslint.config.js sdv2_live/page
