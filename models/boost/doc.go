// Package boost is gradient boosting of regression trees on histograms, for the binary log loss.
//
// The margin of a row is the base margin b = log(Σ w y / Σ w (1-y)) plus the leaf values of all trees. Each round takes the
// gradient g = w (p - y) and the hessian h = w p (1 - p) at the present margins, grows one tree and adds it:
//
//	leaf value = -rate · S(G) / (H + L2),          S(G) = sign(G) · max(|G| - L1, 0)
//	gain       = ½ [ S(G_l)²/(H_l + L2) + S(G_r)²/(H_r + L2) - S(G)²/(H + L2) ]
//
// with G and H summed over the rows of the leaf (Chen & Guestrin, "XGBoost", KDD 2016, eq. 5 to 7). Values are put into at
// most 255 quantile bins, with missing values in a bin of their own that may go either way at each split. Trees grow leaf by
// leaf, the best gain first (Ke et al., "LightGBM", NeurIPS 2017). A categorical column is split into two sets of levels
// after sorting the levels by G/H, which is optimal for a convex loss (Fisher, JASA 1958; Breiman et al. 1984, §9.4).
//
// Sums are exact: gradients and hessians are rounded to whole steps by seeded chance and added as integers, so that the trees do
// not depend on the number of threads or on the order of the rows (what is drawn by chance goes by customer and cutoff where
// these are given). docs/boost.md tells how training and scoring became fast, and what was measured.
//
// Reasons are exact path-dependent Shapley values (see explain.go). Files are described in format.go, dumps for people in
// dump.go; models of XGBoost and LightGBM can be read (see ImportXGBoost, ImportLightGBM).
package boost
