/// The objects of a cluster and their groups of targets. A machine.
///
/// A group records its dependencies on other objects, so that the cost of a change is limited to the affected groups.
struct KubernetesObjects {
    private let role: KubernetesKind
    private let attached: KubernetesDiscovery.AttachedMetadata
    private var objects: [KubernetesKey: KubernetesObject] = [:]
    /// For each object that groups depend on, existing or not, those groups.
    private var dependents: [KubernetesKey: Set<KubernetesKey>] = [:]
    /// The dependencies of each group.
    private var dependencies: [KubernetesKey: Set<KubernetesKey>] = [:]

    init(_ discovery: KubernetesDiscovery) {
        role = KubernetesKind(discovery.role)
        attached = discovery.attached
    }

    /// The required kinds of objects.
    var kinds: [KubernetesKind] {
        var kinds = [role]
        if role == .endpoints || role == .endpointslice { kinds += [.service, .pod] }
        if attached.node, role == .pod || role == .endpoints || role == .endpointslice { kinds.append(.node) }
        if attached.namespace, role != .node { kinds.append(.namespace) }
        if attached.deployment, role == .pod { kinds.append(.replicaset) }
        if attached.cronJob, role == .pod { kinds.append(.job) }
        return kinds
    }

    /// Adds a new or changed object. Returns the groups that may have changed.
    mutating func put(_ object: KubernetesObject) -> [TargetGroup] {
        guard objects[object.key] != object else { return [] }
        objects[object.key] = object
        return rebuilt(affected(object.key))
    }

    /// Removes an object. Returns the groups that may have changed; one without targets is removed.
    mutating func remove(_ key: KubernetesKey) -> [TargetGroup] {
        guard objects.removeValue(forKey: key) != nil else { return [] }
        return rebuilt(affected(key))
    }

    /// Replaces all objects of a kind in `namespace`, or in the whole cluster if it is empty. Returns the groups that
    /// may have changed.
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
            var builder = KubernetesTargets(attached) { [objects] in objects[$0] }
            let group = builder.group(of: object)
            dependencies[key] = builder.asked
            for other in builder.asked { dependents[other, default: []].insert(key) }
            return group
        }
    }
}
