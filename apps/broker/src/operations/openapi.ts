import { z } from 'zod';
import { adminRouteOf } from '../admin/roles.ts';
import { brokerPolicySchema } from '../policy.ts';
import { describedRoutes, type DescribedRoute } from './described-routes.ts';

type Json = Record<string, unknown>;

/** The routes of the broker as an OpenAPI 3.1 description, made from the schemas that check requests and answers. */
export function describeRoutes(): Json {
  const paths: Record<string, Json> = {};
  for (const route of describedRoutes) (paths[route.path] ??= {})[route.method] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Fastness broker',
      version: '1',
      description: 'Refusals are RFC 9457 problems; below /kbs/v0 they have the form of the KBS protocol.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: {
        BrokerPolicy: schemaOf(brokerPolicySchema, 'input'),
        Problem: problem,
        GuestProblem: schemaOf(z.strictObject({ type: z.url(), detail: z.string() }), 'output'),
      },
      securitySchemes: {
        administratorToken: { type: 'http', scheme: 'bearer', description: 'The one token, of an owner; may be off.' },
        administratorCertificate: {
          type: 'mutualTLS',
          description: "A client certificate; the roles are the broker's.",
        },
        administratorAccessToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: "An access token of the configured OpenID provider; the roles are the broker's.",
        },
        guestToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        guestSession: { type: 'apiKey', in: 'cookie', name: 'kbs-session-id' },
      },
    },
  };
}

/** Each of these lets one in; what stands in a list are the roles that it takes (OpenAPI 3.1, Security Requirement Object). */
function securityOf({ who, method, path }: DescribedRoute): Json[] {
  if (who === 'everybody') return [];
  if (who === 'guest') return [{ guestToken: [] }, { guestSession: [] }];
  const roles = adminRouteOf(method.toUpperCase(), path)?.roles ?? [];
  return ['administratorToken', 'administratorCertificate', 'administratorAccessToken'].map((scheme) => ({
    [scheme]: roles,
  }));
}

const problem = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'next'],
  properties: {
    type: { type: 'string', pattern: '^urn:fastness:error:[A-Z0-9_]+$' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    class: { type: 'string' },
    next: { type: 'string' },
  },
};

function operationOf(route: DescribedRoute): Json {
  const { method, path, summary, query, body, answer } = route;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = query === undefined ? [] : queryParameters(query);
  const parameters = [...inPath, ...inQuery];
  const json = (schema: Json): Json => ({ 'application/json': { schema } });
  const guest = path.startsWith('/kbs/');
  return {
    operationId: `${method}${path.replaceAll(/[^A-Za-z0-9]+/g, '-').replace(/-$/, '')}`,
    summary,
    security: securityOf(route),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: json(schemaOf(body, 'input')) } }),
    responses: {
      200: {
        description: 'Done.',
        ...(answer === undefined ? {} : { content: json(schemaOf(answer, 'output')) }),
      },
      default: {
        description: 'Refused, or failed.',
        content: guest
          ? json({ $ref: '#/components/schemas/GuestProblem' })
          : { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

function queryParameters(query: z.ZodObject): Json[] {
  // As checked, not as sent: a number in a query is sent as text.
  return Object.entries(query.shape).map(([name, shape]) => ({
    name,
    in: 'query',
    required: false,
    schema: schemaOf(shape, 'output'),
  }));
}

/** JSON Schema 2020-12, which is what OpenAPI 3.1 takes; the policy, which is large, by reference. */
function schemaOf(schema: z.core.$ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      if (zodSchema !== brokerPolicySchema || schema === brokerPolicySchema) return;
      for (const name of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, name);
      jsonSchema.$ref = '#/components/schemas/BrokerPolicy';
    },
  });
  return rest;
}
