/// Approvals: by anybody who may give orders, or by several identities that a gate demands.
extension RolloutController {
    /// Approves the stages of all services that are baking, as far as `command` suffices.
    mutating func promote(
        _ command: RolloutCommand, isWithoutData: Bool = false, at now: Instant
    ) -> CommandOutcome {
        guard state.phase == .promoting else { return .refused("nothing is being promoted") }
        let baking = plan.services.filter { service in
            if case .baking = state.services[service.name]?.progress { true } else { false }
        }
        guard !baking.isEmpty else { return .ignored("no service waits for approval") }
        var outcomes: [CommandOutcome] = []
        for service in baking {
            let outcome = approve(service, command, isWithoutData: isWithoutData)
            if outcome == .accepted { work[service.name]?.gatesDue = nil }
            outcomes.append(outcome)
        }
        guard outcomes.contains(.accepted) else { return outcomes.first { $0.name == "refused" } ?? outcomes[0] }
        journal("approved", at: now)
        return .accepted
    }

    /// Has every candidate get all traffic at once. What stops promotion still stops it.
    mutating func promoteFully(_ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        guard !command.reason.isEmpty else { return .refused("a full promotion needs a reason") }
        guard state.phase == .promoting else { return .refused("nothing is being promoted") }
        guard !state.isFull else { return .ignored("every candidate is getting all traffic already") }
        let personal = plan.services.first { service in
            state.services[service.name]?.isLeftOut == false && service.approvals.contains(where: \.isPersonal)
        }
        if let personal {
            return .refused("the stages of \(personal.name) need the approval of certain or several identities")
        }
        state.isFull = true
        for name in work.keys { work[name]?.gatesDue = nil }
        journal("full", at: now)
        return .accepted
    }

    private mutating func approve(
        _ service: RolloutPlan.Service, _ command: RolloutCommand, isWithoutData: Bool
    ) -> CommandOutcome {
        let approvals = service.approvals
        guard var rollout = state.services[service.name] else { return .ignored("\(service.name) is not known") }
        if approvals.contains(where: \.isPersonal) {
            guard let identity = command.identity else {
                return .refused(
                    "\(service.name) needs the approval of proved identities: log in as a user, or use a token of your own"
                )
            }
            guard approvals.contains(where: { !$0.counted([identity]).isEmpty }) else {
                let names = Set(approvals.flatMap(\.from)).sorted().joined(separator: ", ")
                return .refused("\(identity) may not approve \(service.name); those who may: \(names)")
            }
            let isKnown = rollout.approvers.contains(identity)
            if isKnown, !isWithoutData || rollout.approversWithoutData.contains(identity) {
                return .ignored("\(identity) has already approved \(service.name)")
            }
            rollout.approvers.insert(identity)
            if isWithoutData { rollout.approversWithoutData.insert(identity) }
            func suffice(_ names: Set<String>) -> Bool { approvals.allSatisfy { $0.counted(names).count >= $0.count } }
            rollout.isApproved = suffice(rollout.approvers)
            rollout.isWithoutData = suffice(rollout.approversWithoutData)
        } else {
            rollout.isApproved = true
            if isWithoutData { rollout.isWithoutData = true }
        }
        state.services[service.name] = rollout
        return .accepted
    }

    /// The missing part of an approval of `service`, for display.
    func openApproval(_ approval: RolloutPlan.Gate.Approval, of service: String) -> String {
        guard approval.isPersonal else { return "waits for a person" }
        let given = approval.counted(state.services[service]?.approvers ?? [])
        let from = approval.from.isEmpty ? "" : " of \(approval.from.joined(separator: ", "))"
        let names = given.isEmpty ? "none yet" : given.joined(separator: ", ")
        return "waits for \(approval.count) approvals\(from); given: \(names)"
    }
}

extension RolloutPlan.Service {
    /// The demands of its gates on those who approve a stage.
    fileprivate var approvals: [RolloutPlan.Gate.Approval] {
        gates.compactMap { if case .approval(let approval) = $0.kind { approval } else { nil } }
    }
}
