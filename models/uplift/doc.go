// Package uplift learns for whom an action changes the outcome, and by how much: P(Y = 1 | action) - P(Y = 1 | nothing) of each customer, from rows in which
// chance decided who was treated.
//
// There are three methods, two of them on linear models or on boosted trees. The T-learner fits each arm and takes the difference. The doubly robust learner
// (Kennedy 2023, Towards optimal doubly robust estimation of heterogeneous causal effects) fits the arms without each fold of customers, turns every row into
//
//	ψ = μ₁ - μ₀ + (t - e)(y - μ_t) / (e(1 - e)),
//
// whose mean given the features is the effect even where the arms' models are wrong, and regresses ψ on the features. That last regression is where noise
// is: each ψ is a hundred times as noisy as the effect. So it is a Bayesian one, in columns v·z: z the features, v = μ(1-μ) what the outcome of a customer can
// be moved at all, so that equal effects on the log-odds are equal coefficients. Its prior is found from the data, and its posterior gives a standard error.
//
// The third one, beside, wants to be told what each customer's outcome would be if it were left alone, as it was known before the treatment: by a churn score that
// was learned from other, and many more, rows. It is a Bayesian logistic regression of both arms with that as offset. Its standard errors are smaller, since it
// does not learn anew what was known; it trusts what was known within what the rows left alone tell of its faults.
//
// Groups of customers may be named beforehand, for whom the action is thought to work otherwise, as subgroups are in the protocol of a trial. Each is a column more
// for the learners, with a wide prior of its own beside a baseline: to look there costs little, where a search among all groups would find noise.
package uplift
