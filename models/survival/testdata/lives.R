# Figures that the tests of this package compare with. Run: Rscript lives.R  (Debian's r-cran-survival; writes lives.csv and lives.json)
# The lives are drawn here, so that the oracle knows nothing of the package: 300 customers of three plans, a third of them there
# before the records begin (left truncation), times in whole days, so that many are tied.
library(survival)
set.seed(20261122)
n <- 300
plan <- sample(c("basic", "pro", "team"), n, TRUE, c(.5, .3, .2))
scale <- c(basic = 300, pro = 500, team = 700)[plan]
life <- ceiling(rweibull(n, .8, scale))
before <- ifelse(runif(n) < .35, ceiling(rexp(n, 1 / 200)), 0)
seen <- ceiling(runif(n, 20, 700))
keep <- life > before                       # the others left before the records begin
d <- data.frame(plan, entry = before, exit = pmin(life, before + seen), left = as.integer(life <= before + seen))[keep, ]
write.csv(d, "lives.csv", row.names = FALSE, quote = FALSE)

num <- function(x) ifelse(is.na(x), "null", sprintf("%.15g", x))
arr <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
curve <- function(name, s, data) {
  f <- survfit(s ~ 1, data = data, conf.type = "log-log")
  e <- f$n.event > 0
  m <- summary(f, rmean = 365)$table
  md <- quantile(f, .5)
  paste0('  "', name, '": {"time": ', arr(f$time[e]), ', "at_risk": ', arr(f$n.risk[e]), ', "left": ', arr(f$n.event[e]),
    ', "survival": ', arr(f$surv[e]), ', "low": ', arr(f$lower[e]), ', "high": ', arr(f$upper[e]),
    ', "median": ', arr(c(md$quantile, md$lower, md$upper)), ', "mean365": ', arr(c(m["rmean"], m["se(rmean)"])), '}')
}
late <- subset(d, entry > 0 | TRUE)
right <- subset(d, entry == 0)
lr <- survdiff(Surv(exit, left) ~ plan, data = right)
lr2 <- survdiff(Surv(exit, left) ~ plan, data = subset(right, plan != "team"))
# survdiff knows no late entry; the score test of the exact partial likelihood is the log-rank test with the hypergeometric variance.
cox <- coxph(Surv(entry, exit, left) ~ plan, data = late, ties = "exact")
# Concordance of a risk with the time to leaving (Harrell 1982), right-censored.
right$risk <- c(basic = 3, pro = 2, team = 1)[right$plan] + (right$exit %% 7) / 10
cc <- concordance(Surv(exit, left) ~ risk, data = right, reverse = TRUE)
write(paste0("{\n", '  "made_with": "', R.version.string, ", survival ", packageVersion("survival"), '",\n',
  curve("late_entry", Surv(d$entry, d$exit, d$left), d), ",\n",
  curve("right_censored", Surv(right$exit, right$left), right), ",\n",
  '  "log_rank": {"observed": ', arr(lr$obs), ', "expected": ', arr(lr$exp), ', "statistic": ', num(lr$chisq), ', "p": ', num(lr$pvalue), "},\n",
  '  "log_rank_two": {"statistic": ', num(lr2$chisq), ', "p": ', num(lr2$pvalue), "},\n",
  '  "log_rank_late_entry": {"statistic": ', num(cox$score), "},\n",
  '  "concordance": ', num(cc$concordance), "\n}"), "lives.json")
