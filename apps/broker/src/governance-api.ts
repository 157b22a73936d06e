/* What clients of the broker need to change keys, policy and quorum, and to approve what is proposed. */
export {
  lifecycleSchema,
  quorumOptionsSchema,
  type LifecycleOptionsInput,
  type QuorumOptionsInput,
} from './lifecycle/options.ts';
export { policyInForceSchema, type PolicyInForce } from './lifecycle/change-policy.ts';
export { rewrappedSchema, type Rewrapped } from './lifecycle/rewrap.ts';
export {
  wrappingKeyChangedSchema,
  wrappingKeysSchema,
  type WrappingKeyChange,
  type WrappingKeyChanged,
} from './lifecycle/routes.ts';
export type { Maintained } from './lifecycle/maintenance.ts';
export { challengeOf } from './quorum/challenge.ts';
export { keyIdOf, membershipSchema, parseMembership, type Membership } from './quorum/membership.ts';
export { actionSchema, approvalMessage, readProposal, type Proposal, type ProposedAction } from './quorum/proposal.ts';
export {
  approvalCountSchema,
  proposalListSchema,
  proposalStateSchema,
  proposalViewSchema,
  quorumViewSchema,
  type ProposalRequest,
  type ProposalView,
} from './quorum/routes.ts';
export type { Proof } from './quorum/verify-approval.ts';
