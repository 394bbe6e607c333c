package main

import (
	"bytes"
	"strings"
	"time"

	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/actiontemplates"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/client"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/core"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/defects"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/deploymentfreezes"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/deployments"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/environments"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/interruptions"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/packages"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/projects"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/releases"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/runbooks"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/tasks"
	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/tenants"
)

var scenarios = map[string]scenario{
	"login":              {play: login},
	"find-space":         {play: findSpace},
	"list-and-page":      {play: listAndPage},
	"create-release":     {play: createRelease},
	"deploy-untenanted":  {play: deployUntenanted},
	"deploy-tenanted":    {play: deployTenanted},
	"prompted-variables": {play: promptedVariables},
	"deploy-later":       {play: deployLater},
	"wait-success":       {play: waitSuccess},
	"wait-failure":       {play: waitFailure},
	"wait-timeout":       {absent: "it has no function that waits"},
	"cancel":             {play: cancel},
	"run-runbook":        {play: runRunbook},
	"task-details":       {play: taskDetails},
	"output-variables":   {absent: "it cannot read them"},
	"interruptions":      {play: interrupted},
	"progression":        {play: progression},
	"freeze-override":    {play: freezeOverride},
	"dashboards":         {play: dashboards},
	"push-package":       {play: pushPackage},
	"step-template":      {play: stepTemplate},
	"errors":             {play: errors},
}

func deploy(p *play, project, version string, change func(*deployments.CreateDeploymentUntenantedCommandV1), to ...string) ([]string, error) {
	command := deployments.NewCreateDeploymentUntenantedCommandV1(space, project)
	command.ReleaseVersion, command.EnvironmentNames = version, to
	if change != nil {
		change(command)
	}
	made, err := deployments.CreateDeploymentUntenantedV1(p.sdk, command)
	if err != nil {
		return nil, err
	}
	var started []string
	for _, t := range made.DeploymentServerTasks {
		p.same("the deployment of "+t.ServerTaskID, t.DeploymentID, happened(t.ServerTaskID)["id"])
		started = append(started, t.ServerTaskID)
	}
	return started, nil
}

// Tasks as the SDK sees them, compared with what really happened.
func seen(p *play, ids ...string) []*tasks.Task {
	found := got(p.sdk.Tasks.Get(tasks.TasksQuery{IDs: ids})).Items
	p.same("how many tasks", len(found), len(ids))
	for _, t := range found {
		p.same("state of "+t.ID, t.State, happened(t.ID)["state"])
		var moving []string
		if t.IsCompleted == nil || !*t.IsCompleted {
			moving = []string{"Duration"}
		}
		p.document("task", t, truth("/api/tasks/"+t.ID), moving...)
	}
	return found
}

func login(p *play) {
	p.document("users/me", got(p.sdk.Users.GetMe()), truth("/api/users/me"), "Password", "Identities")
	theirs := got(p.sdk.Users.GetAll())
	p.same("users", len(theirs), len(all("/api/users/all")))
	// The root is for everybody; who comes with a wrong key is told so when it asks for more.
	stranger := got(connect("API-WRONGWRONGWRONGWRONGWRONG"))
	_, err := stranger.Users.GetMe()
	p.refused("a wrong key", err, "unauthorized")
	root := got(client.GetServerRoot(p.sdk))
	p.same("version", []any{root.Application, root.Version, root.APIVersion}, []any{"Octopus Deploy", truth("/api")["Version"], truth("/api")["ApiVersion"]})
}

func findSpace(p *play) {
	for _, d := range all("/api/spaces/all") {
		found := got(p.sdk.Spaces.GetByName(d["Name"].(string)))
		p.document("space", found, d)
		p.same("by id", got(p.sdk.Spaces.GetByID(id(d))).Name, d["Name"])
	}
	_, err := p.sdk.Spaces.GetByName("Atlantis")
	p.refused("no such space", err, "cannot find")
}

func listAndPage(p *play) {
	all70 := got(projects.GetAll(p.sdk, space))
	p.same("projects", len(all70), len(all("/api/"+space+"/projects/all")))
	// A page, and by its links all pages.
	page := got(projects.Get(p.sdk, space, projects.ProjectsQuery{PartialName: "Fleet"}))
	p.document("page", page.PagedResults, truth("/api/"+space+"/projects?partialName=Fleet"), "StaleItems", "IsStale")
	p.same("a page", []any{len(page.Items), page.TotalResults}, []any{30, 70})
	p.same("all pages", len(got(page.GetAllPages(p.sdk.Sling()))), 70)
	for _, name := range []string{"Store", "Harbour API"} {
		project := got(projects.GetByName(p.sdk, space, name))
		p.document("project", project, truth("/api/"+space+"/projects/"+project.ID), "DeprovisioningRunbookId", "ProvisioningRunbookId",
			"CombineHealthAndSyncStatusInDashboardLiveStatus")
		theirs, ours := got(p.sdk.Projects.GetReleases(project)), list(truth("/api/" + space + "/projects/" + project.ID + "/releases")["Items"])
		p.same("releases of "+name, len(theirs), len(ours))
		for i, r := range theirs {
			p.document("release", r, ours[i])
		}
		for _, c := range got(p.sdk.Projects.GetChannels(project)) {
			p.document("channel", c, truth("/api/"+space+"/channels/"+c.ID), "EphemeralEnvironmentNameTemplate", "ParentEnvironmentId",
				"AutomaticEphemeralEnvironmentDeployments")
		}
	}
	for _, e := range got(environments.GetAll(p.sdk, space)) {
		p.document("environment", e, truth("/api/"+space+"/environments/"+e.ID))
	}
	for _, t := range got(tenants.GetAll(p.sdk, space)) {
		p.document("tenant", t, truth("/api/"+space+"/tenants/"+t.ID))
	}
	north := got(tenants.Get(p.sdk, space, tenants.TenantsQuery{Tags: []string{"Region/South"}}))
	p.same("tenants in the south", len(north.Items), 1)
	for _, l := range got(p.sdk.Lifecycles.GetAll()) {
		p.same("lifecycle", []any{l.ID, l.Name, len(l.Phases)}, []any{id(named("lifecycles", l.Name)), l.Name, len(named("lifecycles", l.Name)["Phases"].([]any))})
	}
	for _, m := range got(p.sdk.Machines.GetAll()) {
		d := truth("/api/" + space + "/machines/" + m.ID)
		p.same("machine", []any{m.Name, m.EnvironmentIDs, m.Roles, m.HealthStatus, m.IsDisabled, m.Endpoint.GetCommunicationStyle()},
			[]any{d["Name"], d["EnvironmentIds"], d["Roles"], d["HealthStatus"], d["IsDisabled"], d["Endpoint"].(doc)["CommunicationStyle"]})
	}
}

func createRelease(p *play) {
	create := func(version string, ignore bool) (*releases.CreateReleaseResponseV1, error) {
		command := releases.NewCreateReleaseCommandV1(space, "Harbour Docs")
		command.ReleaseVersion, command.ReleaseNotes, command.IgnoreIfAlreadyExists = version, "Soundings", ignore
		return releases.CreateReleaseV1(p.sdk, command)
	}
	made := got(create("8.0.0", false))
	p.same("version", made.ReleaseVersion, "8.0.0")
	release := got(releases.GetReleaseInProject(p.sdk, space, id(named("projects", "Harbour Docs")), "8.0.0"))
	p.same("id", release.ID, made.ReleaseID)
	p.same("notes", release.ReleaseNotes, "Soundings")
	p.document("release", release, truth("/api/"+space+"/releases/"+made.ReleaseID))
	_, err := create("8.0.0", false)
	p.refused("the same again", err, "Release '8.0.0' already exists for this project.")
	got(create("8.0.0", true))
}

func deployUntenanted(p *play) {
	started := got(deploy(p, "Harbour API", "1.1.0", func(c *deployments.CreateDeploymentUntenantedCommandV1) {
		c.SkipStepNames, c.UseGuidedFailure = []string{"Back up"}, new(bool)
	}, "Test", "Production"))
	p.same("environments", []any{ended(started[0])["environment"], ended(started[1])["environment"]}, []any{"Test", "Production"})
	p.same("what was skipped", ended(started[0])["skip"], []string{"Back up"})
	found := got(p.sdk.Deployments.GetByID(happened(started[0])["id"].(string)))
	p.document("deployment", found, truth("/api/"+space+"/deployments/"+found.ID))
	for _, t := range seen(p, started...) {
		p.same("by the task", t.Arguments["DeploymentId"], happened(t.ID)["id"])
	}
}

func deployTenanted(p *play) {
	run := func(names, tags []string) []string {
		command := deployments.NewCreateDeploymentTenantedCommandV1(space, "Store")
		command.ReleaseVersion, command.EnvironmentName, command.Tenants, command.TenantTags = "3.0.0", "Test", names, tags
		var to []string
		for _, t := range got(deployments.CreateDeploymentTenantedV1(p.sdk, command)).DeploymentServerTasks {
			p.same("state", ended(t.ServerTaskID)["state"], "Success")
			to = append(to, happened(t.ServerTaskID)["tenant"].(string))
		}
		return to
	}
	p.same("by name", run([]string{"Port of Sul"}, nil), []string{"Port of Sul"})
	p.same("by tag", len(run(nil, []string{"Region/North"})), 2)
}

func promptedVariables(p *play) {
	_, err := deploy(p, "Ledger", "1.0.0", nil, "Test")
	p.refused("without a value", err, "Change number")
	started := got(deploy(p, "Ledger", "1.0.0", func(c *deployments.CreateDeploymentUntenantedCommandV1) {
		c.Variables = map[string]string{"Change.Number": "CHG-1"}
	}, "Test"))
	for _, value := range ended(started[0])["values"].(doc) {
		p.same("the value arrived", value, "CHG-1")
	}
	release := got(releases.GetReleaseInProject(p.sdk, space, id(named("projects", "Ledger")), "1.0.0"))
	preview := got(deployments.GetReleaseDeploymentPreview(p.sdk, space, release.ID, id(named("environments", "Test")), true))
	p.same("steps", preview.StepsToExecute[0].ActionName, "Migrate")
	control := preview.Form.Elements[0].Control
	p.same("the question", []any{control.Name, control.Label, control.Required}, []any{"Change.Number", "Change number", true})
}

func deployLater(p *play) {
	now := got(time.Parse(time.RFC3339Nano, truth("/sandbox/clock")["now"].(string)))
	at, expiry := now.Add(3*time.Hour).Truncate(time.Second), now.Add(5*time.Hour).Truncate(time.Second)
	started := got(deploy(p, "Night Train", "1.0.0", func(c *deployments.CreateDeploymentUntenantedCommandV1) {
		c.RunAt, c.NoRunAfter = at.Format(time.RFC3339), expiry.Format(time.RFC3339)
	}, "Production"))
	task := seen(p, started[0])[0]
	p.same("from when until when", []any{task.QueueTime, task.QueueTimeExpiry}, []any{at, expiry})
	done := ended(started[0])
	p.same("not before", done["started"].(string) >= at.UTC().Format("2006-01-02T15:04:05"), true)
}

func waitSuccess(p *play) {
	started := got(deploy(p, "Harbour API", "1.0.0", nil, "Development"))
	ended(started[0])
	task := seen(p, started[0])[0]
	p.same("ended well", []any{task.State, *task.IsCompleted, *task.FinishedSuccessfully}, []any{"Success", true, true})
}

func waitFailure(p *play) {
	started := got(deploy(p, "Leaky Barge", "1.0.0", nil, "Test"))
	ended(started[0])
	task := seen(p, started[0])[0]
	p.same("ended badly", []any{task.State, *task.IsCompleted, *task.FinishedSuccessfully}, []any{"Failed", true, false})
	p.same("why", task.ErrorMessage, happened(started[0])["error"])
}

func cancel(p *play) {
	started := got(deploy(p, "Slow Ferry", "1.0.0", nil, "Development"))
	until(started[0], func(d doc) bool { return d["state"] == "Executing" })
	task := got(tasks.Cancel(p.sdk, space, started[0]))
	p.same("on the way", task.ID, started[0])
	p.same("at the end", ended(started[0])["state"], "Canceled")
	p.same("as it sees it", seen(p, started[0])[0].State, "Canceled")
}

func runRunbook(p *play) {
	command := runbooks.NewRunbookRunCommandV1(space, "Harbour API")
	command.RunbookName, command.EnvironmentNames = "Restart harbour", []string{"Test"}
	made := got(runbooks.RunbookRunV1(p.sdk, command)).RunbookRunServerTasks[0]
	done := ended(made.ServerTaskID)
	p.same("the run", []any{made.RunbookRunID, "Restart harbour", "Test", "Success"}, []any{done["id"], done["runbook"], done["environment"], done["state"]})
	project := id(named("projects", "Harbour API"))
	runbook := got(runbooks.GetByName(p.sdk, space, project, "Restart harbour"))
	p.document("runbook", runbook, truth("/api/"+space+"/runbooks/"+runbook.ID))
	snapshot := got(runbooks.GetSnapshot(p.sdk, space, project, runbook.PublishedRunbookSnapshotID))
	p.document("snapshot", snapshot, truth("/api/"+space+"/runbookSnapshots/"+snapshot.ID))
	p.same("its steps", got(runbooks.GetProcess(p.sdk, space, project, snapshot.FrozenRunbookProcessID)).Steps[0].Name, "Restart")
}

func taskDetails(p *play) {
	started := got(deploy(p, "Harbour API", "1.1.0", nil, "Development"))
	ended(started[0])
	details, d := got(tasks.GetDetails(p.sdk, space, started[0])), truth("/api/tasks/"+started[0]+"/details")
	p.document("details", details, d)
	p.same("the tree", known(plain(details.ActivityLogs), plain(d["ActivityLogs"])), d["ActivityLogs"])
	var steps, lines []string
	var walk func([]*tasks.ActivityElement)
	walk = func(level []*tasks.ActivityElement) {
		for _, element := range level {
			steps = append(steps, element.Name)
			for _, line := range element.LogElements {
				lines = append(lines, line.MessageText)
			}
			walk(element.Children)
		}
	}
	walk(details.ActivityLogs)
	for _, step := range []string{"Back up", "Deploy web", "Smoke test"} {
		p.same("has step "+step, strings.Contains(strings.Join(steps, "\n"), step), true)
	}
	p.same("has the line of the step", strings.Contains(strings.Join(lines, "\n"), "42 tables saved"), true)
	p.same("is done", details.Progress.ProgressPercentage, 100)
}

func interrupted(p *play) {
	started := got(deploy(p, "Lock Gate", "1.0.0", nil, "Production"))
	var waiting []doc
	for end := time.Now().Add(30 * time.Second); len(waiting) == 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		waiting = list(truth("/api/" + space + "/interruptions?pendingOnly=true&regarding=" + started[0])["Items"])
	}
	found := got(p.sdk.Interruptions.GetByID(id(waiting[0])))
	p.document("interruption", found, waiting[0], "ResponsibleUserId")
	p.same("the question", []any{found.Title, found.TaskID, found.IsPending, found.HasResponsibility}, []any{"Approve opening", started[0], true, false})
	p.same("by the task", seen(p, started[0])[0].HasPendingInterruptions, true)
	p.same("who takes it", got(p.sdk.Interruptions.TakeResponsibility(found)).Username, "sandbox")
	p.same("who has it", got(p.sdk.Interruptions.GetResponsibility(found)).Username, "sandbox")
	request := interruptions.NewInterruptionSubmitRequest()
	request.Result, request.Notes = interruptions.ManualInterverventionApprove, "The tide is right"
	p.same("answered", got(p.sdk.Interruptions.Submit(found, request)).IsPending, false)
	p.same("and then", ended(started[0])["state"], "Success")
}

func progression(p *play) {
	project := id(named("projects", "Customs"))
	release := got(releases.GetReleaseInProject(p.sdk, space, project, "1.0.0"))
	check := func() *releases.LifecycleProgression {
		now := got(p.sdk.Deployments.GetProgression(release))
		p.document("progression", now, truth("/api/"+space+"/releases/"+release.ID+"/progression"), "Id")
		return now
	}
	p.same("next", check().NextDeployments, []string{id(named("environments", "Test"))})
	got(defects.Create(p.sdk, space, got(defects.NewCreateReleaseDefectCommand(release.ID, "Smuggled goods"))))
	known := got(defects.GetAll(p.sdk, space, release.ID))
	p.same("the defect", []any{known[len(known)-1].Description, known[len(known)-1].Status}, []any{"Smuggled goods", "Unresolved"})
	p.same("blocked", check().NextDeployments, nil)
	_, err := deploy(p, "Customs", "1.0.0", nil, "Test")
	p.refused("it goes no further", err, "Customs")
	got(defects.Resolve(p.sdk, space, got(defects.NewResolveReleaseDefectCommand(release.ID))))
	known = got(defects.GetAll(p.sdk, space, release.ID))
	p.same("resolved", known[len(known)-1].Status, "Resolved")
	p.same("next again", check().NextDeployments, []string{id(named("environments", "Test"))})
}

func freezeOverride(p *play) {
	freezes, d := got(deploymentfreezes.GetAll(p.sdk)), truth("/api/deploymentfreezes?skip=0&take=100")
	p.same("how many", []any{freezes.Count, len(freezes.DeploymentFreezes)}, []any{d["Count"], len(list(d["DeploymentFreezes"]))})
	for i, f := range freezes.DeploymentFreezes {
		p.document("freeze", f, list(d["DeploymentFreezes"])[i])
	}
	_, err := deploy(p, "Frozen Pier", "1.0.0", nil, "Production")
	p.refused("frozen", err, "Quarter close")
	started := got(deploy(p, "Frozen Pier", "1.0.0", func(c *deployments.CreateDeploymentUntenantedCommandV1) {
		c.DeploymentFreezeNames, c.DeploymentFreezeOverrideReason = []string{"Quarter close"}, "The books are open"
	}, "Production"))
	p.same("with an override", ended(started[0])["state"], "Success")
}

func dashboards(p *play) {
	project := got(projects.GetByName(p.sdk, space, "Harbour API"))
	now, d := got(p.sdk.Projects.GetProgression(project)), truth("/api/"+space+"/progression/"+project.ID)
	p.document("progression", now, d, "Id")
	for i, r := range now.Releases {
		theirs := list(d["Releases"])[i]
		p.document("release of it", r, theirs)
		for environment, items := range r.Deployments {
			for k, item := range items {
				p.document("item", item, list(theirs["Deployments"].(doc)[environment])[k], "DeploymentEnvironmentId")
			}
		}
	}
}

func pushPackage(p *play) {
	archive := append([]byte("PK\x05\x06"), make([]byte, 18)...)
	push := func(mode packages.OverwriteMode) (*packages.PackageUploadResponse, bool, error) {
		return packages.Upload(p.sdk, space, "Harbour.Buoys.3.1.0.zip", bytes.NewReader(archive), mode)
	}
	made, created, err := push(packages.OverwriteModeFailIfExists)
	must(err)
	p.same("what it pushed", []any{created, made.PackageId, made.Version, made.PackageSizeBytes}, []any{true, "Harbour.Buoys", "3.1.0", len(archive)})
	found := got(packages.List(p.sdk, space, "Harbour.Buoys", 10)).Items
	p.same("found", []any{len(found), found[0].PackageID, found[0].Version}, []any{1, "Harbour.Buoys", "3.1.0"})
	_, _, err = push(packages.OverwriteModeFailIfExists)
	p.refused("a duplicate", err, "already exists")
	_, created, err = push(packages.OverwriteModeIgnoreIfExists)
	must(err)
	p.same("ignored", created, false)
}

func stepTemplate(p *play) {
	template := actiontemplates.NewActionTemplate("Go: sound the horn", "Octopus.Script")
	template.SpaceID, template.Description = space, "Three long blasts"
	template.Properties["Octopus.Action.Script.ScriptBody"] = core.NewPropertyValue("echo horn", false)
	made := got(actiontemplates.Add(p.sdk, template))
	path := "/api/" + space + "/actiontemplates/" + made.ID
	p.document("made", made, truth(path))
	made.Description = "Four"
	made.Properties["Octopus.Action.Script.ScriptBody"] = core.NewPropertyValue("echo horn horn", false)
	changed := got(actiontemplates.Update(p.sdk, made))
	p.same("version", changed.Version, made.Version+1)
	p.document("changed", got(actiontemplates.GetByID(p.sdk, space, made.ID)), truth(path))
	old := got(actiontemplates.GetVersionByID(p.sdk, space, made.ID, made.Version))
	p.same("the old one", []any{old.Description, old.Properties["Octopus.Action.Script.ScriptBody"].Value}, []any{"Three long blasts", "echo horn"})
	must(actiontemplates.DeleteByID(p.sdk, space, made.ID))
}

func errors(p *play) {
	_, err := projects.GetByID(p.sdk, space, "Projects-99999")
	p.refused("no such project", err, "was not found")
	_, err = deploy(p, "Harbour API", "1.1.0", nil, "Atlantis")
	p.refused("no such environment", err, "Atlantis")
	_, err = deploy(p, "Harbour API", "77.7", nil, "Test")
	p.refused("no such release", err, "77.7")
	iris := *p
	iris.sdk = got(connect("API-IRIS"))
	p.same("whoever may look", len(got(environments.GetAll(iris.sdk, space))), len(all("/api/"+space+"/environments/all")))
	_, err = deploy(&iris, "Harbour API", "1.1.0", nil, "Test")
	p.refused("whoever may only look", err, "permission", "DeploymentCreate")
}
