internal import MetricModel
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Scraper

/// Which data a rollout needs, and when they can be there.
extension LoadedConfiguration {
    /// The rollback rules in force, with the services of which they have to yield something.
    var watches: [RuleWatch] {
        groups.flatMap { group in
            let lateness = lateness(of: group)
            return NameCheck.reaches([group], plans).map { reach in
                RuleWatch(
                    rule: reach.key, definition: reach.rule.definition, services: reach.judged,
                    firstData: reach.rule.definition.longestRange + scrapeInterval * 2 + lateness)
            }
        }
    }

    /// The rules of each verdict, by the name of the verdict.
    var verdictRules: [String: [VerdictRule]] {
        var rules = Dictionary(uniqueKeysWithValues: file.verdicts.map { ($0, [VerdictRule]()) })
        for group in groups {
            let lateness = lateness(of: group)
            let step = scrapeInterval + (group.interval ?? prometheus.evaluationInterval)
            for case .rollback(let query) in group.rules {
                let definition = query.definition
                guard let verdict = definition.action.verdict else { continue }
                rules[verdict]?.append(
                    VerdictRule(
                        key: "\(group.key);\(definition.name)", definition: definition,
                        firstData: definition.longestRange + scrapeInterval * 2 + lateness,
                        // Twice what lies between a sample and its evaluation, for a machine that is busy.
                        maximumAge: step * 2 + lateness + .seconds(1)))
            }
        }
        return rules
    }

    /// How much later than at the next scrape a sample is seen by the rules of `group`: by the time that they ask for,
    /// and where a server answers, by its scrapes and the interval of the group.
    private func lateness(of group: RuleGroup) -> Milliseconds {
        guard ruleSettings(externalURL: "").server(of: group) != nil else { return offset(of: group) }
        return offset(of: group) + .minutes(1) + (group.interval ?? prometheus.evaluationInterval)
    }

    /// How far in the past the rules of `group` ask.
    private func offset(of group: RuleGroup) -> Milliseconds {
        group.queryOffset ?? ruleSettings(externalURL: "").server(of: group)?.queryOffset ?? prometheus.ruleQueryOffset
    }

    /// The longest time between two scrapes of a target.
    private var scrapeInterval: Milliseconds { prometheus.pools.map(\.interval).max() ?? .minutes(1) }

    /// Remarks about plans, one line each.
    var evidenceLines: [String] {
        plans.flatMap { plan in
            plan.services.compactMap { service in
                let needs = groups.flatMap { group in
                    let offset = offset(of: group)
                    return NameCheck.reaches([group], [plan]).filter {
                        $0.judged.contains(service.name) && $0.isDemanded
                    }
                    .map { reach in
                        let isAtScrapes = reach.rule.definition.immediate || group.trigger == .scrape
                        let wait = isAtScrapes ? .zero : group.interval ?? prometheus.evaluationInterval
                        return (
                            name: reach.rule.definition.name,
                            bake: reach.rule.definition.longestRange + scrapeInterval + wait + offset
                        )
                    }
                }
                guard let longest = needs.max(by: { $0.bake < $1.bake }) else { return nil }
                let bake = longest.bake > service.bake ? "; stages bake \(service.bake), then wait for data" : ""
                return "plan \(plan.name): a stage of \(service.name) takes at least \(longest.bake), until "
                    + "\(longest.name) has measured it\(bake)"
            }
        }
    }

    /// Expressions that yield nothing where all is well, so that promotion waits for ever: a warning for each.
    var evidenceWarnings: [String] {
        groups.flatMap { group in
            let ofPlans = NameCheck.reaches([group], plans).filter(\.isDemanded).flatMap { reach in
                reach.rule.definition.vanishing.map {
                    "\(group.name): \(reach.rule.definition.name): \($0); without a measurement nothing is promoted"
                }
            }
            let ofVerdicts = group.rules.flatMap { rule -> [String] in
                guard case .rollback(let query) = rule, query.definition.action.verdict != nil,
                    query.definition.mode == .enforce, query.definition.missing.policy != .pass
                else { return [] }
                return query.definition.vanishing.map {
                    "\(group.name): \(query.definition.name): \($0); without a measurement no verdict is healthy"
                }
            }
            return ofPlans + ofVerdicts
        }
    }
}

extension RuleReach {
    /// Whether promotion waits for its measurements.
    fileprivate var isDemanded: Bool {
        rule.definition.mode == .enforce && rule.definition.missing.policy != .pass
    }
}
