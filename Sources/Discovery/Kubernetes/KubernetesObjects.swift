/// The objects of a cluster, and the groups of targets that they are turned into. A machine.
///
/// A group remembers which other objects it was made of, so that a change costs what it concerns.
struct KubernetesObjects {
    private let role: KubernetesKind
    private let attachesNode: Bool
    private let attachesNamespace: Bool
    private var objects: [KubernetesKey: KubernetesObject] = [:]
    /// For each object that groups have asked for, whether or not it exists, those groups.
    private var dependents: [KubernetesKey: Set<KubernetesKey>] = [:]
    /// What each group has asked for.
    private var dependencies: [KubernetesKey: Set<KubernetesKey>] = [:]

    init(_ discovery: KubernetesDiscovery) {
        role = KubernetesKind(discovery.role)
        attachesNode = discovery.attachesNode
        attachesNamespace = discovery.attachesNamespace
    }

    /// The kinds of object that are needed.
    var kinds: [KubernetesKind] {
        var kinds = [role]
        if role == .endpoints || role == .endpointslice { kinds += [.service, .pod] }
        if attachesNode, role == .pod || role == .endpoints || role == .endpointslice { kinds.append(.node) }
        if attachesNamespace, role != .node { kinds.append(.namespace) }
        return kinds
    }

    /// Takes over an object that is new or different. Returns the groups that may have changed.
    mutating func put(_ object: KubernetesObject) -> [TargetGroup] {
        guard objects[object.key] != object else { return [] }
        objects[object.key] = object
        return rebuilt(affected(object.key))
    }

    /// Forgets an object. Returns the groups that may have changed; one without targets is gone.
    mutating func remove(_ key: KubernetesKey) -> [TargetGroup] {
        guard objects.removeValue(forKey: key) != nil else { return [] }
        return rebuilt(affected(key))
    }

    /// Takes over `fresh` as all objects of a kind in `namespace`, or in the whole cluster where it is empty. Returns
    /// the groups that may have changed.
    mutating func replace(
        _ kind: KubernetesKind, in namespace: String, with fresh: [KubernetesObject]
    ) -> [TargetGroup] {
        var affectedKeys: Set<KubernetesKey> = []
        let kept = Set(fresh.map(\.key))
        let gone = objects.keys.filter {
            $0.kind == kind && (namespace.isEmpty || $0.namespace == namespace) && !kept.contains($0)
        }
        for key in gone {
            objects[key] = nil
            affectedKeys.formUnion(affected(key))
        }
        for object in fresh where objects[object.key] != object {
            objects[object.key] = object
            affectedKeys.formUnion(affected(object.key))
        }
        return rebuilt(affectedKeys)
    }

    private func affected(_ key: KubernetesKey) -> Set<KubernetesKey> {
        var keys = dependents[key] ?? []
        if key.kind == role { keys.insert(key) }
        return keys
    }

    private mutating func rebuilt(_ keys: Set<KubernetesKey>) -> [TargetGroup] {
        keys.map { key in
            for other in dependencies.removeValue(forKey: key) ?? [] {
                dependents[other]?.remove(key)
                if dependents[other]?.isEmpty ?? false { dependents[other] = nil }
            }
            guard let object = objects[key] else { return TargetGroup(source: key.source, targets: []) }
            var builder = KubernetesTargets(attachesNode: attachesNode, attachesNamespace: attachesNamespace) {
                [objects] in objects[$0]
            }
            let group = builder.group(of: object)
            dependencies[key] = builder.asked
            for other in builder.asked { dependents[other, default: []].insert(key) }
            return group
        }
    }
}
