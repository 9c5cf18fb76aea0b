internal import DeploymentGates
internal import History
internal import Identity
internal import KubernetesClient
internal import Notification
internal import OnCall
internal import PromQL
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Runtime
internal import Scraper
internal import YAML

/// The content of all configuration files, read and checked against each other.
struct LoadedConfiguration {
    /// The file of `--config.file`.
    let file: TribuneFile
    /// The scrape configuration.
    let prometheus: PrometheusConfiguration
    /// The rule groups.
    let ruleFiles: [RuleFile]
    /// The notification configuration.
    let notification: NotificationConfiguration
    /// Who is called; nobody without a file.
    let onCall: OnCallConfiguration
    /// The permissions.
    let access: AccessPolicy
    /// The rollout plans.
    let plans: [RolloutPlan]
    /// The services that rollback rules reach, as text.
    let reach: (lines: [String], warnings: [String])

    /// All rule groups of all files.
    var groups: [RuleGroup] { ruleFiles.flatMap(\.groups) }

    /// The series that go into the history: those named, and those of recording rules that ask for it.
    var recordings: [SeriesRecording] {
        let recorded = groups.flatMap { group in
            group.rules.compactMap { rule in
                guard case .recording(let rule) = rule, rule.recordsHistory else { return nil as SeriesRecording? }
                return SeriesRecording(
                    selector: rule.selector, interval: group.interval ?? prometheus.evaluationInterval)
            }
        }
        return file.recordings + recorded
    }

    /// Reads `path` and every file that it refers to. All errors are reported, not only the first.
    ///
    /// - Parameter requiresRuleFiles: whether an entry of `rule_files` without a pattern must name an existing file. A
    ///   service starts without it, as Prometheus does; a check refuses it, as promtool does.
    static func load(
        _ path: String, features: ParserFeatures = .standard, requiresRuleFiles: Bool
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let file = try one { () throws(YAMLError) in try TribuneFile.load(path) }
        var faults = Faults()
        let prometheus = faults.collect { () throws(ConfigurationError) in
            try PrometheusConfiguration(
                contentsOf: file.prometheus, requiresRuleFiles: requiresRuleFiles)
        }
        let notification = faults.collect { () throws(ConfigurationError) in
            guard let path = file.alertmanager else { return NotificationConfiguration.silent }
            return try one { () throws(YAMLError) in try NotificationConfiguration.load(path) }
        }
        let access = faults.collect { () throws(ConfigurationError) in
            guard let path = file.access else { return AccessPolicy() }
            return try one { () throws(YAMLError) in try AccessPolicy.load(path) }
        }
        let onCall = faults.collect { () throws(ConfigurationError) in
            guard let path = file.onCall else { return OnCallConfiguration() }
            return try one { () throws(YAMLError) in try OnCallConfiguration.load(path) }
        }
        var ruleFiles: [RuleFile] = []
        let patterns = prometheus?.ruleFiles ?? []
        for path in patterns.flatMap({ Paths.existing($0) }) {
            let loaded = faults.collect { () throws(ConfigurationError) in
                do throws(RuleFileError) { return try RuleFile.load(path, options: .init(features: features)) } catch {
                    throw ConfigurationError(errors: error.faults)
                }
            }
            if let loaded { ruleFiles.append(loaded) }
        }
        var plans: [NameCheck.PlanFile] = []
        for pattern in file.plans {
            let paths = Paths.matching(pattern)
            if paths.isEmpty { faults.add(pattern, "no such plan file") }
            for path in paths {
                guard let plan = faults.collect({ () throws(ConfigurationError) in try loadPlan(path) }) else {
                    continue
                }
                if plans.contains(where: { $0.plan.name == plan.name }) {
                    faults.add(path, "another file already contains a plan named \"\(plan.name)\"")
                }
                plans.append(.init(path: path, plan: plan))
            }
        }
        for (field, text) in file.gates.selectors {
            if case .failure(let fault) = Expression.matchers(of: text) {
                faults.errors.append(
                    YAMLError(file: path, line: 0, column: 0, field: field, message: fault.description))
            }
        }
        guard faults.errors.isEmpty, let prometheus, var notification, let access, let onCall else {
            throw ConfigurationError(errors: faults.errors)
        }
        let receivers = file.alertmanager == nil ? [] : Set(notification.receivers.keys)
        let names = NameCheck(ruleFiles, plans, verdicts: file.verdicts, receivers: receivers)
        let unknown = file.onCall.map { onCall.faults($0, receivers: notification.receivers.keys) } ?? []
        let queries = QueryCheck(file, path, ruleFiles, plans).faults
        let refused = names.faults + unknown + queries
        guard refused.isEmpty else { throw ConfigurationError(errors: refused) }
        for plan in plans.map(\.plan) {
            notification.add(plan.notify, ofPlan: plan.name, alerts: IncidentAlerts.names)
        }
        return LoadedConfiguration(
            file: file, prometheus: prometheus, ruleFiles: ruleFiles, notification: notification, onCall: onCall,
            access: access, plans: plans.map(\.plan), reach: names.report)
    }

    /// Reads the plan file at `path`.
    static func loadPlan(_ path: String) throws(ConfigurationError) -> RolloutPlan {
        let text: String
        do throws(FileText.ReadError) {
            text = String(decoding: try FileText.bytes(path, limit: 16 << 20), as: UTF8.self)
        } catch {
            throw ConfigurationError(errors: [
                YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
            ])
        }
        return try one { () throws(YAMLError) in
            try RolloutPlan(parsing: text, file: path, clusterServer: KubernetesServer.ofThisCluster?.url)
        }
    }

    private static func one<Value>(
        _ read: () throws(YAMLError) -> Value
    ) throws(ConfigurationError) -> Value {
        do throws(YAMLError) { return try read() } catch { throw ConfigurationError(errors: error.all) }
    }

    /// The errors so far.
    private struct Faults {
        var errors: [YAMLError] = []

        mutating func add(_ file: String, _ message: String) {
            errors.append(YAMLError(file: file, line: 0, column: 0, field: "", message: message))
        }

        mutating func collect<Value>(_ read: () throws(ConfigurationError) -> Value) -> Value? {
            do throws(ConfigurationError) { return try read() } catch {
                errors += error.errors
                return nil
            }
        }
    }
}
