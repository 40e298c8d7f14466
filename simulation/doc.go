// Package simulation is a world whose truth is known: a company that sells software to other companies, watched for some days.
//
// Every customer has a latent state (engagement, pain, reaction to prices) that moves in weekly steps and sets the hazard of
// cancelling. What a product would record of the customer follows from that state: usage, invoices, subscriptions, surveys, tickets, contacts and
// touchpoints, with late rows, duplicates, corrections, gaps and outages. World.Customer gives the records, World.Truth the true
// risk and the true effect of each action at a cutoff. Nothing here knows of warehouses or models, and nothing of the product may read
// the truth.
//
// A customer depends on the seed, its index and the span of the records alone: not on the number of customers, nor on the order in
// which they are asked for.
package simulation
