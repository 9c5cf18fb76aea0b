internal import Identity
internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime
internal import WebCore

/// The work that rollbacks leave to people. It is kept in the ledger only, so every node shows the same.
extension TribuneAPI {
    /// The longest owner and note, in characters.
    private static let textLimit = 1000

    var taskEndpoints: [Endpoint] {
        let plan = Parameter.path("plan", .string, "The name of a rollout plan.")
        return [
            .data(
                [.get], "/api/v1/rollouts/{plan}/tasks", "Lists the work that rollbacks left to people, newest first.",
                parameters: [
                    plan, .optional("rollback", .string, "Only of this rollback."),
                    .optional("state", .choice(RollbackTask.State.allCases.map(\.rawValue)), "Only in this state."),
                ], rollbackTasks),
            .data(
                [.post], "/api/v1/rollouts/{plan}/tasks",
                "Changes the state, the owner or the note of work that a rollback left.", permission: .order,
                parameters: [
                    plan, .required("rollback", .string, "The id of the rollback."),
                    .required("service", .string, "The service."),
                    .required("task", .choice(RollbackTask.Kind.allCases.map(\.rawValue)), "The work."),
                    .optional("state", .choice(RollbackTask.State.allCases.map(\.rawValue)), "The new state."),
                    .optional("owner", .string, "The new owner."),
                    .optional("note", .string, "A new note, such as the address of a document."),
                ], changeRollbackTask),
        ]
    }

    private func rollbackTasks(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let plan = call.pathParameters[0]
        let (id, state) = (call["rollback"], call["state"])
        let reports = try pastRollouts(of: plan).flatMap { $0.rollbacks.reversed() }
        writer.object { writer in
            writer.name("rollbacks")
            writer.array(reports.filter { id.isEmpty || $0.rollback.id == id }) { writer, report in
                writer.object {
                    $0.member("id", report.rollback.id)
                    $0.name("tasks")
                    $0.array(report.tasks.filter { state.isEmpty || $0.state.rawValue == state }) { $0.write($1.json) }
                }
            }
        }
        return APIResult()
    }

    private func changeRollbackTask(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let plan = call.pathParameters[0]
        let (id, service) = (call["rollback"], call["service"])
        guard call.principal.scope.covers(plan: plan, services: [service]) else {
            throw APIError(.forbidden, "\(call.actor) may not change the tasks of this plan or service")
        }
        guard let kind = RollbackTask.Kind(rawValue: call["task"]) else {
            let kinds = RollbackTask.Kind.allCases.map(\.rawValue)
            throw APIError.invalid("task", "expected one of \(kinds.joined(separator: ", "))")
        }
        let state = call["state"].isEmpty ? nil : RollbackTask.State(rawValue: call["state"])
        guard state != nil || call["state"].isEmpty else {
            let states = RollbackTask.State.allCases.map(\.rawValue)
            throw APIError.invalid("state", "expected one of \(states.joined(separator: ", "))")
        }
        let change = RollbackTask.Change(
            rollback: id, service: service, kind: kind, state: state, owner: try text(call, "owner"),
            note: try text(call, "note"))
        guard change.state != nil || change.owner != nil || change.note != nil else {
            throw APIError.invalid("state", "expected a new state, owner or note")
        }
        guard var report = try pastRollouts(of: plan).flatMap(\.rollbacks).first(where: { $0.rollback.id == id }) else {
            throw APIError(.notFound, "the ledger has no report of the rollback \(MetricText.quoted(id))")
        }
        let at = Instant(nanoseconds: SystemClock.wallMilliseconds() * 1_000_000)
        guard report.apply(change, by: call.actor, at: at) else {
            throw APIError(.notFound, "the rollback \(id) has no tasks for the service \(MetricText.quoted(service))")
        }
        guard sources.changeTask(change, report, call.principal) else {
            throw APIError(.unavailable, "the history does not take the change now")
        }
        let task = report.tasks.first { $0.service == service && $0.kind == kind }
        writer.write(task?.json ?? .null)
        return APIResult()
    }

    /// The value of a parameter; `nil` if it is not there.
    private func text(_ call: APIRequest, _ name: String) throws(APIError) -> String? {
        guard let value = call.all(name).last else { return nil }
        guard value.count <= Self.textLimit else {
            throw APIError.invalid(name, "expected at most \(Self.textLimit) characters")
        }
        return value
    }
}
