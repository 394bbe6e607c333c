// Documents the client hands through without a model of its own (`Client.request` and its siblings). Checked like the client's types.

type Links = { Self: string; [name: string]: string };
type Reference = { Id: string; Name: string };

export interface Button {
    Text: string;
    Value: string;
    RequiresConfirmation: boolean;
}

export type Control =
    | { Type: "Paragraph"; Text: string; ResolveLinks: boolean }
    | { Type: "TextArea"; Label: string }
    | { Type: "SubmitButtonGroup"; Buttons: Button[] };

export interface Interruption {
    Id: string;
    SpaceId: string;
    Title: string;
    Type: "ManualIntervention" | "GuidedFailure";
    Created: Date;
    IsPending: boolean;
    TaskId: string;
    CorrelationId: string;
    ResponsibleTeamIds: string[];
    ResponsibleUserId: string | null;
    CanTakeResponsibility: boolean;
    HasResponsibility: boolean;
    IsLinkedToOtherInterruption: boolean;
    RelatedDocumentIds: string[];
    Form: {
        Values: { [name: string]: string | null };
        Elements: { Name: string; Control: Control; IsValueRequired: boolean }[];
    };
    Links: Links & { Submit: string; Responsible: string };
}

export interface Defect {
    Id: string;
    SpaceId: string;
    Description: string;
    Status: "Unresolved" | "Resolved";
}

export interface ReleaseProgression {
    Phases: {
        Id: string | null;
        Name: string;
        Blocked: boolean;
        Progress: "Pending" | "Current" | "Complete";
        Deployments: {
            Task: { Id: string; State: string; IsCompleted: boolean; FinishedSuccessfully: boolean };
            Deployment: { Id: string; EnvironmentId: string; ReleaseId: string; TaskId: string; ProjectId: string };
        }[];
        AutomaticDeploymentTargets: string[];
        OptionalDeploymentTargets: string[];
        MinimumEnvironmentsBeforePromotion: number;
        IsOptionalPhase: boolean;
        IsPriorityPhase: boolean;
    }[];
    NextDeployments: string[];
    NextDeploymentsMinimumRequired: number;
    HasUnresolvedDefect: boolean;
    ReleaseRetentionPeriod: object | null;
    TentacleRetentionPeriod: object | null;
}

export interface DashboardItem {
    Id: string;
    ProjectId: string;
    EnvironmentId: string;
    TenantId: string | null;
    ReleaseId: string;
    ReleaseVersion: string;
    ChannelId: string;
    DeploymentId: string;
    TaskId: string;
    State: "Queued" | "Executing" | "Cancelling" | "Success" | "Failed" | "Canceled" | "TimedOut";
    Created: Date;
    QueueTime: Date;
    StartTime: Date | null;
    CompletedTime: Date | null;
    Duration: string | null;
    IsCurrent: boolean;
    IsPrevious: boolean;
    IsCompleted: boolean;
    HasPendingInterruptions: boolean;
    PendingInterruptionTypes: string[];
    HasPendingPreconditions: boolean;
    PendingPreconditionTypes: string[];
    HasWarningsOrErrors: boolean;
    ErrorMessage: string;
    Links: Links & { Release: string; Task: string };
}

export interface Dashboard {
    Projects: {
        Id: string;
        Name: string;
        Slug: string;
        ProjectGroupId: string;
        EnvironmentIds: string[];
        TenantIds: string[];
        IsDisabled: boolean;
        TenantedDeploymentMode: "Untenanted" | "TenantedOrUntenanted" | "Tenanted";
        CanPerformUntenantedDeployment: boolean;
    }[];
    ProjectGroups: (Reference & { EnvironmentIds: string[] })[];
    Environments: Reference[];
    Tenants: (Reference & { ProjectEnvironments: { [project: string]: string[] }; TenantTags: string[] })[];
    Items: DashboardItem[];
    PreviousItems: DashboardItem[];
    ProjectLimit: number | null;
    IsFiltered: boolean;
}

export interface Progression {
    LifecycleEnvironments: { [lifecycle: string]: Reference[] };
    ChannelEnvironments: { [channel: string]: Reference[] };
    Environments: Reference[];
    Releases: {
        Release: { Id: string; Version: string; ProjectId: string; ChannelId: string; Assembled: Date; ReleaseNotes: string | null };
        Channel: Channel;
        Deployments: { [environment: string]: DashboardItem[] };
        NextDeployments: string[];
        HasUnresolvedDefect: boolean;
        ReleaseRetentionPeriod: object | null;
        TentacleRetentionPeriod: object | null;
    }[];
}

export interface Channel {
    Id: string;
    SpaceId: string;
    Name: string;
    Slug: string;
    Description: string | null;
    ProjectId: string;
    LifecycleId: string | null;
    IsDefault: boolean;
    Type: "Lifecycle" | "EphemeralEnvironment";
    TenantTags: string[];
    Rules: object[];
    Links: Links & { Releases: string; Project: string };
}

export interface Freeze {
    Id: string;
    Name: string;
    Description: string | null;
    Start: Date;
    End: Date;
    ProjectEnvironmentScope: { [project: string]: string[] };
    TenantProjectEnvironmentScope: { TenantId: string; ProjectId: string; EnvironmentId: string }[];
    RecurringSchedule: object | null;
    OwnerId: string | null;
    Links: Links;
}

export interface Freezes {
    DeploymentFreezes: Freeze[];
    Count: number;
}

export interface VariableSet {
    Id: string;
    OwnerId: string;
    SpaceId: string;
    Version: number;
    Variables: {
        Id: string;
        Name: string;
        Value: string | null;
        Description: string | null;
        Type: string;
        IsSensitive: boolean;
        IsEditable: boolean;
        Scope: { [kind: string]: string[] };
        Prompt: { Label: string; Description: string; Required: boolean; DisplaySettings: { "Octopus.ControlType": string } } | null;
    }[];
    ScopeValues: {
        Environments: Reference[];
        Machines: Reference[];
        Actions: Reference[];
        Roles: Reference[];
        Channels: Reference[];
        TenantTags: Reference[];
        Processes: object[];
    };
    Links: Links;
}

export interface StepTemplate {
    Id: string;
    SpaceId: string;
    Name: string;
    Description: string | null;
    ActionType: string;
    Version: number;
    CommunityActionTemplateId: string | null;
    Packages: object[];
    GitDependencies: object[];
    Properties: { [name: string]: string };
    Parameters: {
        Id: string;
        Name: string;
        Label: string;
        HelpText: string;
        DefaultValue: string | null;
        DisplaySettings: { "Octopus.ControlType": string };
    }[];
    Links: Links & { Usage: string; Logo: string; ActionsUpdate: string; Versions: string };
}

export interface Person {
    Id: string;
    Username: string;
    DisplayName: string;
    IsActive: boolean;
    IsService: boolean;
    EmailAddress: string | null;
}

export interface EnvironmentsSummary {
    TotalMachines: number;
    EnvironmentSummaries: { Environment: { Id: string; Name: string }; TotalMachines: number }[];
}

export interface Machine {
    Id: string;
    SpaceId: string;
    Name: string;
    Slug: string;
    IsDisabled: boolean;
    MachinePolicyId: string;
    HealthStatus: "Healthy" | "HasWarnings" | "Unhealthy" | "Unavailable" | "Unknown";
    HasLatestCalamari: boolean;
    StatusSummary: string;
    IsInProcess: boolean;
    Thumbprint: string | null;
    Uri: string | null;
    Endpoint: { CommunicationStyle: string };
    EnvironmentIds: string[];
    Roles: string[];
    TenantedDeploymentParticipation: string;
    TenantIds: string[];
    TenantTags: string[];
}

export interface DeploymentTemplate {
    IsDeploymentProcessModified: boolean;
    IsVariableSetModified: boolean;
    IsLibraryVariableSetModified: boolean;
    PromoteTo: (Reference & { Links: { Preview: string } })[];
    TenantPromotions: (Reference & { PromoteTo: Reference[] })[];
}

export interface DeploymentPreview {
    StepsToExecute: {
        ActionId: string;
        ActionName: string;
        ActionNumber: string;
        Roles: string[];
        MachineNames: string[];
        Machines: object[];
        CanBeSkipped: boolean;
        HasNoApplicableMachines: boolean;
        UnavailableMachines: object[];
        ExcludedMachines: object[];
    }[];
    Form: {
        Values: { [name: string]: string | null };
        Elements: {
            Name: string;
            IsValueRequired: boolean;
            Control: {
                Type: "VariableValue";
                Name: string;
                Label: string;
                Description: string;
                Required: boolean;
                DisplaySettings: { "Octopus.ControlType": string };
            };
        }[];
    };
    UseGuidedFailureModeByDefault: boolean;
    Changes: object[];
    ChangesMarkdown: string | null;
}

export interface PackageVersion {
    Id: string;
    PackageId: string;
    FeedId: string;
    Title: string;
    Version: string;
    Published: Date;
    ReleaseNotes: string | null;
    SizeBytes: number;
}

export interface PackageDescription {
    Id: string;
    Name: string;
    Description: string | null;
    LatestVersion: string;
}
