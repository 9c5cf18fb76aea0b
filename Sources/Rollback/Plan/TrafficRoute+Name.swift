extension TrafficRoute {
    /// The router with its distinguishing settings, for texts. Has no secrets.
    public var name: String {
        switch kind {
        case .haproxy(let route): "haproxy \(route.address) \(route.stable[0].backend)"
        case .nginx(let route): "nginx \(route.file)"
        case .envoy(let route):
            switch route.division {
            case .discoveryFile(let path, _): "envoy \(path)"
            case .runtime(let prefix): "envoy \(route.admin) \(prefix)"
            }
        case .kubernetes(let route): "kubernetes \(route.namespace)/\(route.name)"
        case .exec(let route): "exec \(route.shift[0])"
        case .webhook(let route): "webhook \(route.url)"
        }
    }
}
