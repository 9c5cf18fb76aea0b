internal import Glibc
internal import Instrumentation
internal import Runtime
internal import Synchronization

/// The metrics of a service of the ACGS platform beside requests, durations and compliance. May be used from any
/// thread.
///
/// Durations, bytes, processor time and memory are those of the process. Scores of a constitutional model, which the
/// service does not have, are constants that a ``DemoService/Misbehaviour`` changes.
final class PlatformMetrics: Sendable {
    /// The principles of the platform's constitution that the services report on.
    static let principles = ["accountability", "democratic_oversight", "fairness", "privacy", "safety", "transparency"]

    /// A validation of one service, which its plan asks for.
    private static let validations = [
        "auth": "jwt_constitutional_claims", "ac": "single_model_operational",
        "integrity": "cryptographic_signature_verification", "fv": "formal_proof_generation",
        "gs": "governance_synthesis_accuracy", "pgc": "policy_enforcement_consistency",
        "ec": "evolutionary_algorithm_performance",
    ]
    /// Qualities with thresholds of the platform, from 0 to 1.
    private static let qualities = [
        "ac": "compliance_accuracy", "fv": "accuracy", "pgc": "compliance_score",
        "integrity": "integrity_check_accuracy",
        "ec": "decision_quality",
    ]
    /// Operations with thresholds of the platform, with their milliseconds.
    private static let operations: [String: (name: String, milliseconds: Double)] = [
        "gs": ("policy_synthesis_time", 900), "fv": ("verification_time", 2100),
        "integrity": ("hash_verification_time", 12),
    ]
    /// Memory of one service at its limit, in bytes.
    private static let memoryLimit = 512.0 * 1024 * 1024
    /// The network's capacity, in bytes per second.
    private static let networkCapacity = 125_000_000.0

    private struct Window {
        var maximum = 0.0
        var busySeconds = 0.0
        var bytes = 0.0
        var processorSeconds = PlatformMetrics.processorSeconds
        var since = SystemClock.monotonicNanoseconds()
    }

    private let mode = Mutex(DemoService.Misbehaviour.none)
    private let window = Mutex(Window())
    private let inFlight: Gauge
    private let maximum: Gauge
    private let utilization: [(resource: String, gauge: Gauge)]
    private let bytes: Counter
    private let adherence: [Gauge]
    private let violations: [Counter]
    private let openViolations: Gauge
    private let resolvedViolations: Gauge
    private let decisions: [String: Counter]
    private let reasoningSteps: Histogram
    private let confidence: Gauge
    private let tokens: [String: Counter]
    private let inferences: [String: Counter]
    private let validation: Gauge?
    private let quality: Gauge?
    private let operation: (gauge: Gauge, milliseconds: Double)?
    private let coordination: Gauge?
    private let tasks: [String: Counter]
    private let blackboard: (entries: Gauge, operations: [String: Counter])?

    /// The metrics of `service`, in `registry`.
    init(service: String, in registry: Registry) {
        func counters(_ name: String, _ help: String, _ label: String, _ values: [String]) -> [String: Counter] {
            var counters: [String: Counter] = [:]
            for value in values {
                counters[value] =
                    label == "result"
                    ? registry.counter(name, help, labels: ["service": service, "result": value])
                    : label == "outcome"
                        ? registry.counter(name, help, labels: ["service": service, "outcome": value])
                        : registry.counter(name, help, labels: ["service": service, "operation": value])
            }
            return counters
        }
        inFlight = registry.gauge("acgs_requests_in_flight", "Requests in progress.", labels: ["service": service])
        maximum = registry.gauge(
            "acgs_request_duration_max_seconds", "The longest request since the scrape before.",
            labels: ["service": service])
        utilization = ["cpu", "memory", "gpu", "network"].map { resource in
            (
                resource,
                registry.gauge(
                    "acgs_resource_utilization_ratio", "Used share of a resource.",
                    labels: ["service": service, "resource": resource])
            )
        }
        bytes = registry.counter(
            "acgs_network_bytes_total", "Bytes of requests and answers.", labels: ["service": service])
        adherence = Self.principles.map { principle in
            registry.gauge(
                "acgs_principle_adherence_ratio", "Share of decisions that adhere to a principle.",
                labels: ["service": service, "principle": principle])
        }
        violations = Self.principles.map { principle in
            registry.counter(
                "acgs_constitutional_violations_total", "Decisions against a principle.",
                labels: ["service": service, "type": principle])
        }
        func status(_ state: String) -> Gauge {
            registry.gauge(
                "acgs_constitutional_violations", "Violations by the state of their resolution.",
                labels: ["service": service, "state": state])
        }
        openViolations = status("open")
        resolvedViolations = status("resolved")
        decisions = counters(
            "acgs_decisions_total", "Decisions by their outcome.", "outcome", ["approved", "refused", "escalated"])
        reasoningSteps = registry.histogram(
            "acgs_reasoning_steps", "Steps of the reasoning for a decision.", labels: ["service": service],
            bounds: [1, 2, 3, 5, 8, 13])
        confidence = registry.gauge(
            "acgs_reasoning_confidence_ratio", "Mean confidence of decisions.", labels: ["service": service])
        tokens =
            service == "auth"
            ? counters(
                "acgs_jwt_validations_total", "Tokens validated with their constitutional claims.", "result",
                ["success", "failure"]) : [:]
        inferences =
            service == "ac"
            ? counters(
                "acgs_model_inferences_total", "Inferences of the constitutional model.", "result",
                ["success", "failure"]) : [:]
        validation = Self.validations[service].map { name in
            registry.gauge(
                "acgs_special_validation_ratio", "Share of passed cases of the service's special validation.",
                labels: ["service": service, "validation": name])
        }
        quality = Self.qualities[service].map { name in
            registry.gauge(
                "acgs_quality_ratio", "A quality of the service with a threshold of the platform.",
                labels: ["service": service, "quality": name])
        }
        operation = Self.operations[service].map { operation in
            (
                registry.gauge(
                    "acgs_operation_duration_milliseconds",
                    "Duration of an operation with a threshold of the platform.",
                    labels: ["service": service, "operation": operation.name]), operation.milliseconds
            )
        }
        let isCoordinator = service == "coordinator"
        coordination =
            isCoordinator
            ? registry.gauge(
                "acgs_coordination_efficiency_ratio", "Share of the agents' time that is no waiting.",
                labels: ["service": service]) : nil
        tasks =
            isCoordinator
            ? counters("acgs_coordination_tasks_total", "Tasks of agents.", "result", ["success", "failure"]) : [:]
        if isCoordinator {
            for (role, count) in [("orchestrator", 1.0), ("specialist", 4), ("worker", 12), ("observer", 2)] {
                registry.gauge(
                    "acgs_coordination_agents", "Agents by role.", labels: ["service": service, "role": role]
                ).set(count)
            }
        }
        blackboard =
            service == "blackboard"
            ? (
                registry.gauge("acgs_blackboard_entries", "Entries of the blackboard.", labels: ["service": service]),
                counters("acgs_blackboard_operations_total", "Operations of agents.", "operation", ["read", "write"])
            ) : nil
        set(.none)
        registry.onSnapshot { [self] in closeWindow() }
    }

    /// A request began.
    func began() { inFlight.add(1) }

    /// A request ended.
    func ended(_ number: Int, seconds: Double, _ mode: DemoService.Misbehaviour) {
        inFlight.add(-1)
        window.withLock {
            $0.maximum = max($0.maximum, seconds)
            $0.busySeconds += seconds
        }
        let isViolation = (mode == .compliance && number % 5 == 0) || (mode == .principle && number % 7 == 0)
        decisions[isViolation ? "refused" : number % 50 == 0 ? "escalated" : "approved"]?.add()
        if isViolation {
            violations[mode == .principle ? 2 : number % violations.count].add()
            openViolations.add(1)
        }
        reasoningSteps.observe(Double(1 + number % 9))
        let isBad = number % 100 == 0
        tokens[mode == .jwt && isBad ? "failure" : "success"]?.add()
        inferences[mode == .inference && isBad ? "failure" : "success"]?.add()
        tasks[mode == .coordination && number % 3 == 0 ? "failure" : "success"]?.add()
        if let blackboard {
            blackboard.operations[number % 4 == 0 ? "write" : "read"]?.add()
            blackboard.entries.set(Double(100 + number / 4 % 900))
        }
    }

    /// A response with its request has so many bytes.
    func answered(bytes count: Int) {
        bytes.add(Double(count))
        window.withLock { $0.bytes += Double(count) }
    }

    /// The misbehaviour changes. With its end, open violations are resolved.
    func set(_ mode: DemoService.Misbehaviour) {
        self.mode.withLock { $0 = mode }
        for (index, gauge) in adherence.enumerated() {
            gauge.set(mode == .compliance || mode == .principle && index == 2 ? 0.85 : 0.97 + Double(index) / 250)
        }
        if mode != .compliance && mode != .principle {
            resolvedViolations.add(openViolations.value)
            openViolations.set(0)
        }
        confidence.set(mode == .compliance ? 0.6 : 0.94)
        validation?.set(mode == .quality ? 0.7 : 1)
        quality?.set(mode == .quality ? 0.7 : 0.9995)
        if let operation { operation.gauge.set(mode == .quality ? 9000 : operation.milliseconds) }
        coordination?.set(mode == .coordination ? 0.65 : 0.91)
    }

    /// Computes the values of the time since the last scrape.
    private func closeWindow() {
        let now = SystemClock.monotonicNanoseconds()
        let spent = Self.processorSeconds
        let (ended, seconds) = window.withLock { window in
            let ended = window
            let seconds = max(0.001, Double(now - ended.since) / 1e9)
            window = Window(processorSeconds: spent, since: now)
            return (ended, seconds)
        }
        maximum.set(ended.maximum)
        let mode = mode.withLock { $0 }
        for (resource, gauge) in utilization {
            let share =
                switch resource {
                case "cpu": mode == .cpu ? 0.97 : (spent - ended.processorSeconds) / seconds
                case "memory": mode == .memory ? 0.96 : Self.residentBytes / Self.memoryLimit
                case "gpu": mode == .gpu ? 0.98 : min(0.8, ended.busySeconds / seconds / 48)
                case _: mode == .network ? 0.95 : ended.bytes / seconds / Self.networkCapacity
                }
            gauge.set(min(1, max(0, share)))
        }
    }

    /// Processor time of this process, in seconds.
    private static var processorSeconds: Double {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Memory of this process, in bytes; 0 where it cannot be read.
    private static var residentBytes: Double {
        let fields = FileText.read("/proc/self/statm")?.split(separator: " ") ?? []
        return fields.count > 1 ? (Double(fields[1]) ?? 0) * Double(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
