// An SMSC on node's `smpp`, driven by lines of JSON: on stdout what it is told, on stdin what it is to send.
'use strict';
const readline = require('node:readline');
const smpp = require('smpp');

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const DATES = 'submit date:2601310930 done date:2601310931';
let session = null;
let taken = 0;

// Ids are decimal, with leading zeros, in answers, and hexadecimal in receipts, as many SMSCs have them.
const answered = (number) => String(number).padStart(10, '0');
const receipted = (number) => number.toString(16).toUpperCase();

const receipt = (submit, number) => {
  const failed = submit.destination_addr.endsWith('9');
  const stat = failed ? 'UNDELIV' : 'DELIVRD';
  return {
    esm_class: 4,
    source_addr: submit.destination_addr,
    destination_addr: submit.source_addr,
    short_message: `id:${receipted(number)} sub:001 dlvrd:001 ${DATES} stat:${stat} err:${failed ? '042' : '000'} text:`,
    receipted_message_id: receipted(number),
    message_state: failed ? 5 : 2,
  };
};

const bound = (one, pdu, kind) => {
  session = one;
  one.send(pdu.response({ system_id: 'NODE', sc_interface_version: 0x34 }));
  say({ bound: kind, system_id: pdu.system_id, password: pdu.password, version: pdu.interface_version });
};

const deliver = (fields) => session.deliver_sm(fields, (answer) => say({ acknowledged: answer.command_status }));

const server = smpp.createServer((one) => {
  one.on('error', (error) => say({ error: String(error) }));
  for (const kind of ['transceiver', 'transmitter', 'receiver']) one.on(`bind_${kind}`, (pdu) => bound(one, pdu, kind));
  one.on('enquire_link', (pdu) => one.send(pdu.response()));
  one.on('unbind', (pdu) => { one.send(pdu.response()); one.close(); say({ unbound: true }); });
  one.on('submit_sm', (pdu) => {
    const { udh, message } = pdu.short_message;
    taken += 1;
    if (pdu.destination_addr.endsWith('8')) { // a bad number
      one.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
      return;
    }
    one.send(pdu.response({ message_id: answered(taken) }));
    const text = Buffer.isBuffer(message) ? { octets: message.toString('hex') } : { text: message };
    say({ submit: taken, to: pdu.destination_addr, from: pdu.source_addr, data_coding: pdu.data_coding, ...text,
      udh: udh ? udh.map((element) => element.toString('hex')) : [] });
    if (pdu.registered_delivery & 1) deliver(receipt(pdu, taken));
  });
});

// {"short_message": "text"}, which the library writes as it likes, or {"octets": "0a0b", "data_coding": 8}
readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { octets, payload, ...fields } = JSON.parse(line);
    if (octets !== undefined) fields[payload ? 'message_payload' : 'short_message'] = Buffer.from(octets, 'hex');
    deliver(fields);
  })
  .on('close', () => process.exit(0));

server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
