// node's `smpp`, as bench/peers/clients.py drives the others: node client.cjs PORT WINDOW COUNT LIMIT
'use strict';
const fs = require('node:fs');
const smpp = require('smpp');

const [port, window, count, limit] = process.argv.slice(2).map(Number);
const TEXT = Buffer.from(`Love is patient. Love is kind. It does not envy, it does not boast. ${'x'.repeat(12)}`);
const times = [];
let next = 0;
let last = performance.now();

const end = (told) => {
  process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0));
};
const fail = (why) => {
  process.stderr.write(`${why}\n`, () => process.exit(1));
};

setTimeout(() => {
  const quiet = ((performance.now() - last) / 1000).toFixed(1);
  end({ stalled: `${times.length} of ${count} answered after ${limit} s, the last ${quiet} s before` });
}, limit * 1000);

const session = smpp.connect({ url: `smpp://127.0.0.1:${port}`, auto_enquire_link_period: 60000 }, () => {
  session.bind_transceiver({ system_id: 'bench', password: 'secret' }, () => {
    const cpu = process.cpuUsage();
    const began = performance.now();

    const finish = () => {
      const took = (performance.now() - began) / 1000;
      const used = process.cpuUsage(cpu);
      times.sort((a, b) => a - b);
      end({
        rate: count / took,
        cpu: ((used.user + used.system) / 1e6) * (100000 / count),
        p50: times[Math.floor(count / 2)],
        p99: times[Math.floor((count * 99) / 100)],
        rss: Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024,
      });
    };

    const submit = () => {
      if (next >= count) return;
      const since = performance.now();
      const to = `2507${String(next).padStart(8, '0')}`;
      next += 1;
      session.submit_sm(
        { source_addr: '8080', dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: to, short_message: TEXT },
        (pdu) => {
          if (pdu.command_status !== 0) return fail(`a submit was refused: ${pdu.command_status}`);
          last = performance.now();
          times.push(last - since);
          return times.length === count ? finish() : submit();
        },
      );
    };
    for (let place = 0; place < window; place += 1) submit();
  });
});
session.on('error', (error) => fail(error.message));
