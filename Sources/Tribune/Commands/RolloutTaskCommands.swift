internal import JSON
internal import Rollback
internal import WebServer

/// `tribune rollout tasks|task`: the work that rollbacks leave to people.
extension RolloutCommands {
    static let tasks = Command(
        "rollout tasks", "List the work that rollbacks left to people.", operands: "PLAN", count: 1...1,
        options: options + [
            .value("rollback", "ID", "Only of this rollback, as `rollout history` lists it."),
            .flag("all", "Also what is done or dropped."), .flag("json", "Print JSON."),
        ],
        details: "Each rollback leaves five tasks for each service that violated a rule. They are kept in the ledger."
    ) { (invocation) throws(CommandFailure) in
        let plan = invocation.operands[0]
        let id = invocation.value("rollback").map { "?rollback=\(URLEncoding.escape($0))" } ?? ""
        let path = "rollouts/\(URLEncoding.escape(plan))/tasks\(id)"
        let rollbacks = try client(invocation).get(path)["data"]?["rollbacks"] ?? .array([])
        if invocation.flag("json") {
            Console.print(rollbacks.encoded)
            return 0
        }
        var isEmpty = true
        for rollback in rollbacks.elements ?? [] {
            let tasks = (rollback["tasks"]?.elements ?? []).filter { task in
                let state = task["state"]?.text.flatMap(RollbackTask.State.init)
                return invocation.flag("all") || state?.isOpen ?? true
            }
            if tasks.isEmpty { continue }
            isEmpty = false
            Console.print(rollback["id"]?.text ?? "")
            Console.print(Console.table(tasks.map(row(of:))))
        }
        if isEmpty { Console.print("\(plan): rollbacks left nothing to do") }
        return 0
    }

    private static func row(of task: JSON) -> (String, String) {
        let owner = task["owner"]?.text.flatMap { $0.isEmpty ? nil : $0 } ?? "nobody"
        let note = task["note"]?.text.flatMap { $0.isEmpty ? nil : ": \($0)" } ?? ""
        return (
            "  \(task["service"]?.text ?? "") \(task["task"]?.text ?? "")",
            "\(task["state"]?.text ?? ""), owner \(owner)\(note)"
        )
    }

    static let task = Command(
        "rollout task", "Change the state, the owner or the note of work that a rollback left.",
        operands: "PLAN ROLLBACK SERVICE TASK", count: 4...4,
        options: options + [
            .value("state", "STATE", "open, in_progress, done or dropped."),
            .value("owner", "NAME", "Who does it."),
            .value("note", "TEXT", "A note, such as the address of a document."),
        ], details: "TASK is root_cause, debugging, fix, retry_plan or lessons."
    ) { (invocation) throws(CommandFailure) in
        let (plan, rollback) = (invocation.operands[0], invocation.operands[1])
        let (service, task) = (invocation.operands[2], invocation.operands[3])
        let changes = ["state", "owner", "note"].compactMap { name in invocation.value(name).map { (name, $0) } }
        let answer = try client(invocation).post(
            "rollouts/\(URLEncoding.escape(plan))/tasks",
            [("rollback", rollback), ("service", service), ("task", task)] + changes)
        let (key, value) = row(of: answer["data"] ?? .null)
        Console.print("\(key.drop { $0 == " " }): \(value)")
        return 0
    }
}
