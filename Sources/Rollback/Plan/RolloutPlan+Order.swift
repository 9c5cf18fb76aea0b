extension RolloutPlan {
    /// Why services cannot be ordered. `service` has the error.
    struct OrderFault: Error, Equatable {
        var service: String
        var message: String
    }

    /// The input of the ordering.
    struct Node {
        var name: String
        var depends: [String]
        var priority: Int
    }

    /// Dependencies first; among possible services the one with the highest priority, then the first in the file.
    static func order(_ nodes: [Node]) throws(OrderFault) -> [String] {
        var placed: Set<String> = []
        var rest = nodes
        var order: [String] = []
        while !rest.isEmpty {
            let ready = rest.indices.filter { rest[$0].depends.allSatisfy { placed.contains($0) } }
            guard let best = ready.max(by: { (rest[$0].priority, -$0) < (rest[$1].priority, -$1) }) else {
                throw cycleFault(in: rest)
            }
            let node = rest.remove(at: best)
            placed.insert(node.name)
            order.append(node.name)
        }
        return order
    }

    /// Checks that `order` has every service once, each after its dependencies.
    static func check(_ order: [String], of nodes: [Node]) throws(OrderFault) {
        var placed: Set<String> = []
        for name in order {
            guard let node = nodes.first(where: { $0.name == name }) else {
                throw OrderFault(service: name, message: "there is no service \"\(name)\"")
            }
            if let missing = node.depends.first(where: { !placed.contains($0) }) {
                throw OrderFault(
                    service: name, message: "\"\(name)\" depends on \"\(missing)\", which must come before it")
            }
            guard placed.insert(name).inserted else {
                throw OrderFault(service: name, message: "\"\(name)\" appears twice")
            }
        }
        if let missing = nodes.first(where: { !placed.contains($0.name) }) {
            throw OrderFault(service: missing.name, message: "\"\(missing.name)\" is missing from the order")
        }
    }

    /// Splits `order` wherever a service depends on one of the present level.
    static func levels(_ order: [String], of nodes: [Node]) -> [[String]] {
        var levels: [[String]] = []
        for name in order {
            let depends = nodes.first { $0.name == name }?.depends ?? []
            if let level = levels.last, !level.contains(where: { depends.contains($0) }) {
                levels[levels.count - 1].append(name)
            } else {
                levels.append([name])
            }
        }
        return levels
    }

    /// Follows dependencies among `rest`, of which none is free, until a service repeats.
    private static func cycleFault(in rest: [Node]) -> OrderFault {
        var path: [String] = []
        var next = rest.first
        while let node = next {
            if let start = path.firstIndex(of: node.name) {
                let cycle = path[start...] + [node.name]
                return OrderFault(
                    service: node.name, message: "dependencies form a cycle: \(cycle.joined(separator: " → "))")
            }
            path.append(node.name)
            next = rest.first { node.depends.contains($0.name) }
        }
        return OrderFault(service: rest.first?.name ?? "", message: "dependencies form a cycle")
    }
}
