internal import JSON
internal import Rollback

/// The traffic split in Kubernetes objects: reads it, and creates the patch that changes it.
struct KubernetesDivision {
    private let route: KubernetesRoute

    /// The annotation with the epoch of the last write.
    static let epoch = "tribune/epoch"
    private static let canary = "nginx.ingress.kubernetes.io/canary"

    /// The position of both versions' weights in one rule of an object.
    private struct Place {
        var stable: (path: String, weight: Int64)
        var candidate: (path: String, weight: Int64)
        /// Whether the rule is for testers only.
        var isForTesters: Bool

        var split: TrafficSplit? { KubernetesDivision.split(stable: stable.weight, candidate: candidate.weight) }
    }

    init(_ route: KubernetesRoute) {
        self.route = route
    }

    /// The split in `object`; `nil` if its rules disagree, or if neither version has traffic.
    func split(of object: JSON) throws(RouterError) -> TrafficSplit? {
        switch route.object {
        case .service(let stable, let candidate):
            let selector = object["spec"]?["selector"]
            func selects(_ labels: [KubernetesRoute.Label]) -> Bool {
                labels.allSatisfy { selector?[$0.name]?.text == $0.value }
            }
            return selects(stable) ? .allStable : selects(candidate) ? .allCandidate : nil
        case .ingress:
            let annotations = try annotations(of: object)
            let split = Int(annotations["\(Self.canary)-weight"]?.text ?? "0").flatMap(TrafficSplit.init(candidate:))
            let isOpen = mark.map { annotations[$0.name] != nil } ?? false
            return isOpen ? split?.withTesters : split
        case .httpRoute, .virtualService:
            let places = try places(in: object)
            let splits = places.filter { !$0.isForTesters }.map(\.split)
            let split = splits.allSatisfy { $0 == splits.first } ? splits.first ?? nil : nil
            let ways = places.filter(\.isForTesters).map(\.split)
            return ways.allSatisfy { $0 == .allStable } ? split : split?.withTesters
        }
    }

    /// Whether the controllers of an HTTPRoute say that they have programmed this very generation of `object`. Other
    /// objects have no such status.
    func grade(of object: JSON) -> ReadingGrade {
        guard case .httpRoute = route.object, let generation = object["metadata"]?["generation"]?.integer else {
            return .stored
        }
        let parents = object["status"]?["parents"]?.elements ?? []
        let isProgrammed = parents.allSatisfy { parent in
            let conditions = parent["conditions"]?.elements ?? []
            return conditions.contains { condition in
                condition["type"]?.text == "Accepted" && condition["status"]?.text == "True"
                    && condition["observedGeneration"]?.integer == generation
            }
        }
        return isProgrammed && !parents.isEmpty ? .effective : .stored
    }

    /// The JSON patch that sets `split`, if `object` is still at `version`. Weights of 0 are written too.
    ///
    /// - Parameter epoch: stored in an annotation if several processes share a lease.
    func patch(
        of object: JSON, version: String, to split: TrafficSplit, epoch: UInt64? = nil
    ) throws(RouterError) -> JSON {
        var steps: [JSON] = [["op": "test", "path": "/metadata/resourceVersion", "value": .string(version)]]
        func add(_ path: String, _ value: JSON) {
            // "add" replaces an existing member.
            steps.append(["op": "add", "path": .string(path), "value": value])
        }
        if case .ingress = route.object {
            let annotations = try annotations(of: object)
            func path(_ annotation: String) -> String {
                "/metadata/annotations/\(annotation.split(separator: "/").joined(separator: "~1"))"
            }
            add(path("\(Self.canary)-weight"), .string(String(split.candidate)))
            if let mark, split > .allStable {
                add(path(mark.name), .string(mark.value))
            } else if let mark, annotations[mark.name] != nil {
                steps.append(["op": "remove", "path": .string(path(mark.name))])
            }
        } else {
            for place in try places(in: object) {
                let own = !place.isForTesters ? split : split > .allStable ? .allCandidate : .allStable
                add(place.stable.path, .integer(Int64(own.stable)))
                add(place.candidate.path, .integer(Int64(own.candidate)))
            }
        }
        if let epoch {
            if object["metadata"]?["annotations"]?.members == nil { add("/metadata/annotations", .object([])) }
            add("/metadata/annotations/tribune~1epoch", .string(String(epoch)))
        }
        return .array(steps)
    }

    /// The annotations of an Ingress that is an ingress-nginx canary with a percentage.
    private func annotations(of object: JSON) throws(RouterError) -> JSON {
        guard let annotations = object["metadata"]?["annotations"], annotations[Self.canary]?.text == "true" else {
            throw RouterError("the Ingress \(route.name) has no annotation \(Self.canary): \"true\"")
        }
        if let total = annotations["\(Self.canary)-weight-total"]?.text, total != "100" {
            throw RouterError("the Ingress \(route.name) has a weight total of \(total) instead of 100")
        }
        return annotations
    }

    /// The annotation that lets testers pass a canary Ingress; `nil` if there are none.
    private var mark: (name: String, value: String)? {
        switch route.testers {
        case .header(let name): ("\(Self.canary)-by-header", name)
        case .cookie(let name): ("\(Self.canary)-by-cookie", name)
        case nil: nil
        }
    }

    /// Whether every match of `rule` asks for the header of testers.
    private func isForTesters(_ rule: JSON) -> Bool {
        guard case .header(let header) = route.testers else { return false }
        let matches = (rule["matches"] ?? rule["match"])?.elements ?? []
        let name = header.lowercased()
        return !matches.isEmpty
            && matches.allSatisfy { match in
                let headers = match["headers"]
                // An HTTPRoute lists headers, a VirtualService has them by name.
                let names =
                    headers?.members?.map(\.name) ?? (headers?.elements ?? []).compactMap { $0["name"]?.text }
                return names.contains { $0.lowercased() == name }
            }
    }

    /// Every rule with both versions. Rules with only one of them are not changed.
    private func places(in object: JSON) throws(RouterError) -> [Place] {
        let names =
            if case .httpRoute = route.object {
                (rules: "rules", targets: "backendRefs", unset: Int64(1))
            } else {
                (rules: "http", targets: "route", unset: Int64(0))
            }
        var places: [Place] = []
        for (index, rule) in (object["spec"]?[names.rules]?.elements ?? []).enumerated() {
            let targets = rule[names.targets]?.elements ?? []
            let stable = targets.indices.filter { isTarget(targets[$0], stable: true) }
            let candidate = targets.indices.filter { isTarget(targets[$0], stable: false) }
            guard let first = stable.first, let second = candidate.first else { continue }
            guard stable.count == 1, candidate.count == 1 else {
                throw RouterError("rule \(index) of \(route.name) contains a version more than once")
            }
            func place(_ target: Int) -> (String, Int64) {
                (
                    "/spec/\(names.rules)/\(index)/\(names.targets)/\(target)/weight",
                    targets[target]["weight"]?.integer ?? names.unset
                )
            }
            places.append(
                Place(stable: place(first), candidate: place(second), isForTesters: isForTesters(rule)))
        }
        guard places.contains(where: { !$0.isForTesters }) else {
            throw RouterError("no rule of \(route.name) contains both versions")
        }
        if route.testers != nil, !places.contains(where: \.isForTesters) {
            throw RouterError("no rule of \(route.name) with both versions is for testers only")
        }
        return places
    }

    private func isTarget(_ target: JSON, stable wantsStable: Bool) -> Bool {
        switch route.object {
        case .httpRoute(let stable, let candidate):
            return target["name"]?.text == (wantsStable ? stable : candidate)
                && target["namespace"]?.text ?? route.namespace == route.namespace
        case .virtualService(let stable, let candidate):
            let wanted = wantsStable ? stable : candidate
            let destination = target["destination"]
            return destination?["host"]?.text == wanted.host && destination?["subset"]?.text == wanted.subset
        case .service, .ingress: return false
        }
    }

    private static func split(stable: Int64, candidate: Int64) -> TrafficSplit? {
        let limit: Int64 = 1_000_000
        guard (0...limit).contains(stable), (0...limit).contains(candidate) else { return nil }
        return TrafficSplit(candidateShares: Int(candidate), of: Int(stable + candidate))
    }
}
