import process from 'node:process';

// Runs the built command for one list of arguments after the other, each from its first line on, and prints what each
// came to. Its own arguments: the URL of the command, and the lists as JSON.
const [command, lists] = process.argv.splice(2);
const { stdout, stderr } = process;
const write = stdout.write.bind(stdout);
// Each command that is loaded adds its own.
stdout.setMaxListeners(0);
const ended = [];
for (const args of JSON.parse(lists)) {
  const end = { status: 0, stdout: '', stderr: '' };
  for (const [name, stream] of Object.entries({ stdout, stderr })) {
    stream.write = (text) => {
      end[name] += text;
      return true;
    };
  }
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
  process.exitCode = undefined;
  await import(`${command}?${ended.length}`);
  end.status = process.exitCode ?? 0;
  ended.push(end);
}
process.exitCode = 0;
write(JSON.stringify(ended));
