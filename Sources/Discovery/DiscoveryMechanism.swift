/// One entry of a `…_sd_configs` section: a way to find targets, with its settings. A value.
public enum DiscoveryMechanism: Equatable, Sendable {
    case file(FileDiscovery)
    case http(HTTPDiscovery)
    case dns(DNSDiscovery)
    case consul(ConsulDiscovery)
    case docker(DockerDiscovery)
    case dockerswarm(SwarmDiscovery)
    case ec2(EC2Discovery)
    case kubernetes(KubernetesDiscovery)

    /// The name of the section without `_sd_configs`, as Prometheus calls the mechanism.
    public var name: String {
        switch self {
        case .file: "file"
        case .http: "http"
        case .dns: "dns"
        case .consul: "consul"
        case .docker: "docker"
        case .dockerswarm: "dockerswarm"
        case .ec2: "ec2"
        case .kubernetes: "kubernetes"
        }
    }

    var discoverer: any Discoverer {
        switch self {
        case .file(let discovery): discovery
        case .http(let discovery): discovery
        case .dns(let discovery): discovery
        case .consul(let discovery): discovery
        case .docker(let discovery): discovery
        case .dockerswarm(let discovery): discovery
        case .ec2(let discovery): discovery
        case .kubernetes(let discovery): discovery
        }
    }
}
