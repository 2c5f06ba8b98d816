/**
 * Stands in for your object storage while you try the examples: takes files by HTTP PUT, gives them by GET, forgets them
 * by DELETE, all in memory. It has one from the start, readings.csv: 10,000 lines of `station,tenths of a degree`.
 *
 *   node storage.js [PORT]        default 7490
 */
const { createServer } = require('node:http');

const STATIONS = ['Bergen', 'Cairo', 'Lima', 'New York', 'Perth', 'Quito'];

function readings() {
  let lines = '';
  for (let n = 0; n < 10_000; n++) lines += `${STATIONS[n % STATIONS.length]},${((n * 7919) % 701) - 250}\n`;
  return Buffer.from(lines);
}

/** @returns {Promise<{ url: string, files: Map<string, Buffer>, close(): void }>} its files by path, such as `/a/b.csv` */
async function startStorage(port = 7490) {
  const files = new Map([['/readings.csv', readings()]]);
  const server = createServer(async (request, response) => {
    const path = request.url.split('?')[0];
    if (request.method === 'PUT') {
      const chunks = await request.toArray();
      files.set(path, Buffer.concat(chunks));
      response.writeHead(201).end();
    } else if (request.method === 'DELETE') {
      response.writeHead(files.delete(path) ? 204 : 404).end();
    } else if (files.has(path)) {
      response.end(files.get(path));
    } else {
      response.writeHead(404).end(`there is no ${path}\n`);
    }
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, files, close };
}

module.exports = { startStorage };

if (require.main === module) {
  startStorage(Number(process.argv[2] ?? 7490)).then(
    ({ url }) => console.log(`storage at ${url}, with ${url}/readings.csv in it`),
    (error) => {
      console.error(error.message);
      process.exit(1);
    },
  );
}
