import type { ErrorFacts } from './class.ts';

/** Codes of the command line. */
export const cliErrors = Object.freeze({
  CLI_USAGE: { class: 'usage', message: 'The command line is wrong.', next: 'Run the command with --help.' },
  CLI_HOME_MISSING: {
    class: 'usage',
    message: 'There is no Fastness home here.',
    next: 'Run `fastness init`, or name another folder with --home.',
  },
  CLI_HOME_EXISTS: {
    class: 'conflict',
    message: 'This folder already holds a Fastness home; its keys are not overwritten.',
    next: 'Choose another folder with --home, or move this one away.',
  },
  CLI_HOME_DAMAGED: {
    class: 'invalid',
    message: 'A file of the Fastness home is missing or does not parse.',
    next: 'Restore the file named here, or start over with another --home.',
  },
  CLI_MODEL_MISSING: {
    class: 'usage',
    message: 'No such sealed model in this home.',
    next: 'Run `fastness seal PATH` first, or name one of the sealed models with --model.',
  },
  CLI_APPROVER_UNKNOWN: {
    class: 'usage',
    message: 'No approver of this name has a key in this home.',
    next: 'Name one of the approvers that `fastness init` created.',
  },
  CLI_FILE_UNREADABLE: {
    class: 'usage',
    message: 'The file could not be read.',
    next: 'Check the path and its permissions.',
  },
  CLI_FILE_TOO_LARGE: {
    class: 'limit',
    message: 'The file is larger than anything of its kind, and was not read.',
    next: 'Give the evidence or endorsements by themselves, not an archive or a disk image.',
  },
  CLI_FILE_UNWRITABLE: {
    class: 'usage',
    message: 'The file could not be written.',
    next: 'Check the path and its permissions.',
  },
  CLI_POLICY_SYNTAX: {
    class: 'usage',
    message: 'The file is not the strict JSON or YAML that this reader takes.',
    next: 'Write one document without repeated keys, anchors, aliases or tags, and put hex into quotes.',
  },
  CLI_CORIM_IMPORT: {
    class: 'usage',
    message: 'The policy imports reference values that could not be taken from the CoRIM.',
    next: 'See docs/policy.md for the form of an import; check the file, its key and its algorithm.',
  },
  CLI_NOT_RECOGNISED: {
    class: 'not-mine',
    message: 'The file is none of the kinds that Fastness writes or verifies.',
    next: '`fastness attest verify --help` lists the kinds of evidence, `fastness inspect --help` the other files.',
  },
  CLI_CHILD_FAILED: {
    class: 'internal',
    message: 'A process that Fastness started ended before it was ready.',
    next: 'Read its own message above; its log is in the logs folder of the home.',
  },
  CLI_CHILD_TIMEOUT: {
    class: 'unavailable',
    message: 'A process that Fastness started was not ready in time.',
    next: 'Read its log in the logs folder of the home; a busy machine may need another try.',
  },
  CLI_SERVER_UNREACHABLE: {
    class: 'unavailable',
    message: 'The server could not be reached.',
    next: 'Check that it runs and that the URL is right, then try again.',
  },
  CLI_REQUEST_REFUSED: {
    class: 'invalid',
    message: 'The enclave refused the request.',
    next: 'Read its message; the model or the request may not fit.',
  },
  CLI_HOME_UNWRITABLE: {
    class: 'usage',
    message: 'The Fastness home cannot be written.',
    next: 'Choose a folder of yours with --home, or mend its permissions.',
  },
  CLI_HOME_NOT_EMPTY: {
    class: 'conflict',
    message: 'The folder is not empty and holds no Fastness home.',
    next: 'Choose a new folder with --home; nothing here is overwritten.',
  },
  CLI_LISTEN: {
    class: 'unavailable',
    message: 'The address is in use or may not be listened on.',
    next: 'Stop what listens there, or choose another address with --listen (up: --any-port).',
  },
  CLI_LISTEN_REMOTE: {
    class: 'denied',
    message: 'Prompts would cross the network in clear: the proxy takes plain HTTP.',
    next: 'Listen on a loopback address; or put TLS in front and say --allow-remote.',
  },
  CLI_TLS_REMOTE: {
    class: 'denied',
    message: 'What attested TLS protects would cross the network in clear on this side.',
    next: 'Put client or service on this machine (127.0.0.1), or say --allow-remote where the network there is trusted.',
  },
  CLI_TLS_SERVICE: {
    class: 'unavailable',
    message: 'The service behind attested TLS takes no connection.',
    next: 'Start it, or correct --to.',
  },
  CLI_TLS_CUT: {
    class: 'unavailable',
    message: 'One side cut a connection over attested TLS before both had ended it.',
    next: 'Treat what arrived as incomplete unless the protocol inside says where it ends; connect again.',
  },
  CLI_PROXY_ORIGIN: {
    class: 'denied',
    message: 'A web page asks, or somebody under another name than this machine has: the proxy is for programs on it.',
    next: 'Use the address that the proxy printed, from a program; pages of a browser use the console.',
  },
  CLI_ADMIN_TRANSPORT: {
    class: 'denied',
    message: 'The administrator token is not sent in clear to another machine.',
    next: 'Use https, or run the command on the machine of the broker.',
  },
  CLI_ADMIN_ANSWER: {
    class: 'invalid',
    message: 'The broker did not confirm what was asked of it.',
    next: 'Check that the address is that of the broker; nothing is known to have changed.',
  },
  CLI_SERVICE_ENDED: {
    class: 'unavailable',
    message: 'A service ended while it was needed.',
    next: 'Read its log in the logs folder of the home, then start again.',
  },
  CLI_INTERRUPTED: {
    class: 'conflict',
    message: 'Interrupted.',
    next: 'Run the command again; nothing is half-written.',
  },
  CLI_UNEXPECTED: {
    class: 'internal',
    message: 'An unexpected fault.',
    next: 'Please report it with the command that led to it; set FASTNESS_DEBUG=1 to see the stack.',
  },
} as const satisfies Record<string, ErrorFacts>);
