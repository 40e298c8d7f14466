// Package offpolicy tells what a policy of actions would have earned, from a log that another policy made: before it goes live.
//
// A row i of the log is one choice: action aᵢ, taken with propensity pᵢ, after which the reward rᵢ was seen. The new policy would have taken
// aᵢ with probability qᵢ, so that the row counts with the weight wᵢ = qᵢ/pᵢ. With q(a|i) the new policy's probability of each action and μ̂ a
// model of the reward, learned on other customers,
//
//	SNIPS  Σ wᵢ rᵢ / Σ wᵢ                                      Swaminathan & Joachims 2015, "The self-normalized estimator for counterfactual learning"
//	DR     (1/n) Σ [Σ_a q(a|i) μ̂(i,a) + wᵢ (rᵢ - μ̂(i,aᵢ))]    Dudík, Langford & Li 2011, "Doubly robust policy evaluation and learning"
//	IPS    (1/n) Σ wᵢ rᵢ                                       Horvitz & Thompson 1952
//
// SNIPS stays within the range of the rewards and does not move when a constant is added to them; DR is right if either the propensities or
// the model are; IPS stands beside them, for its spread shows what the other two save. Intervals come from a bootstrap that redraws customers.
//
// What a log cannot tell is refused in words: see Refusal.
package offpolicy
