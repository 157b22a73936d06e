// What a user of the `ai` package writes, run as a user runs it. Arguments: base URL, prompt. Prints one line of JSON.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';

const [baseURL = '', prompt = ''] = process.argv.slice(2);
const provider = createOpenAICompatible({ name: 'fastness', baseURL, includeUsage: true });
const asked = { model: provider('triage'), prompt, temperature: 0, maxRetries: 0 };
const whole = await generateText(asked);
const stream = streamText(asked);
let streamed = '';
for await (const part of stream.textStream) streamed += part;
const usage = await stream.usage;
const { text, finishReason } = whole;
const tokens = [whole.usage.outputTokens, usage.outputTokens];
process.stdout.write(`${JSON.stringify({ text, streamed, finishReason, tokens })}\n`);
