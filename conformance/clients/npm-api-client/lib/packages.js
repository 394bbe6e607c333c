// Packages: packed and pushed by the client, found in the built-in feed, with what is known about their build.
"use strict";

const fs = require("node:fs/promises");
const os = require("node:os");
const path = require("node:path");

async function pushPackage(stage, is) {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), "octorhai-npm-api-client-"));
    try {
        return await push(stage, is, folder);
    } finally {
        await fs.rm(folder, { recursive: true, force: true });
    }
}

async function push(stage, is, folder) {
    const { ZipPackageBuilder, NuGetPackageBuilder } = stage.octopus;
    const logger = {};
    const input = path.join(folder, "input");
    await fs.mkdir(input);
    await fs.writeFile(path.join(input, "charts.txt"), "here be dragons\n");
    const packing = { basePath: input, inputFilePatterns: ["**"], outputFolder: folder, logger };
    const pack = (packageId, version) => new ZipPackageBuilder().pack({ packageId, version, ...packing });
    const zips = [await pack("Harbour.Charts", "1.0.0"), await pack("Harbour.Charts", "1.1.0-beta.2"), await pack("Harbour.Charts", "1.10.0")];
    const nupkg = await new NuGetPackageBuilder().pack({ packageId: "Harbour.Tides", version: "2.3.4", nuspecArgs: { description: "High and low", authors: ["ada"] }, ...packing });
    const file = (name) => path.join(folder, path.basename(name));

    // The client has a repository of feeds and does not export it; this is what it is made of.
    const feeds = new stage.octopus.SpaceScopedBasicRepository(stage.client, stage.space, "~/api/{spaceId}/feeds", "skip,take,ids,partialName,feedType");
    const { Items: known } = await feeds.list({ take: 100 });
    const [feed, ...more] = known.filter((f) => f.FeedType === "BuiltIn");
    stage.checked(feed, "BuiltInFeed");
    is.same("one built-in feed", more, []);
    is.fields("the built-in feed", feed, { Name: "Octopus Server (built-in)", SpaceId: await stage.octopus.resolveSpaceId(stage.client, stage.space), IsBuiltInRepoSyncEnabled: false });
    is.same("found by its kind", (await feeds.list({ feedType: "BuiltIn" })).Items, [feed]);
    is.same("one feed", await feeds.get(feed.Id), feed);

    const repository = stage.repository("PackageRepository");
    const start = await stage.now();
    await repository.push([...zips, nupkg].map(file));
    const list = await repository.list({ nuGetPackageId: "Harbour.Charts" });
    is.same("newest first", list.Items.map((p) => p.Version), ["1.10.0", "1.1.0-beta.2", "1.0.0"]);
    is.same("the newest", (await repository.list({ nuGetPackageId: "Harbour.Charts", latest: true })).Items.map((p) => p.Version), ["1.10.0"]);
    is.same("by a part of the name", (await repository.list({ filter: "harbour.ti" })).Items.map((p) => [p.PackageId, p.Version]), [["Harbour.Tides", "2.3.4"]]);
    for (const [id, version, extension] of [
        ["Harbour.Charts", "1.0.0", ".zip"],
        ["Harbour.Tides", "2.3.4", ".nupkg"],
    ]) {
        const said = await repository.get(`packages-${id}.${version}`);
        is.fields(`${id} ${version}`, said, { Id: `packages-${id}.${version}`, PackageId: id, Version: version, FeedId: feed.Id, Title: id, FileExtension: extension });
        is.that(`${id} ${version}: published now`, new Date(said.Published) >= start && new Date(said.Published) <= (await stage.now()), said.Published);
        is.same(`${id} ${version}: as listed`, (await repository.list({ nuGetPackageId: id })).Items.find((p) => p.Version === version), said);
    }
    const versions = await stage.get("PackageVersion[]", "/feeds/{feed}/packages/versions{?packageId,preReleaseTag,versionRange}", { feed: feed.Id, packageId: "Harbour.Charts", preReleaseTag: "^$" });
    const sizes = await Promise.all(["1.10.0", "1.0.0"].map(async (v) => (await fs.stat(file(`Harbour.Charts.${v}.zip`))).size));
    is.same("versions to choose from", versions.Items.map((v) => [v.Version, v.PackageId, v.FeedId, v.SizeBytes]), [["1.10.0", "Harbour.Charts", feed.Id, sizes[0]], ["1.0.0", "Harbour.Charts", feed.Id, sizes[1]]]);
    const search = await stage.get("PackageDescription[]", "/feeds/{feed}/packages/search{?term}", { feed: feed.Id, term: "harbour.c" });
    is.same("found by search", search.Items.map((p) => [p.Id, p.Name, p.LatestVersion]), [["Harbour.Charts", "Harbour.Charts", "1.10.0"]]);

    const duplicate = /already exists/;
    await is.refused("the same again", () => repository.push([file(zips[0])]), undefined, duplicate);
    const first = list.Items.find((p) => p.Version === "1.0.0");
    await repository.push([file(zips[0])], "IgnoreIfExists");
    is.same("ignored", await repository.get(first.Id), first);
    await repository.push([file(zips[0])], "OverwriteExisting");
    const replaced = await repository.get(first.Id);
    is.that("replaced", new Date(replaced.Published) > new Date(first.Published), replaced.Published);
    is.same("replaced, not added", (await repository.list({ nuGetPackageId: "Harbour.Charts" })).TotalResults, 3);
    await fs.writeFile(path.join(folder, "charts.zip"), "nothing");
    await is.refused("a file without a version", () => repository.push([path.join(folder, "charts.zip")]), undefined, "There was a problem with your request.");
    await is.refused("a package that is not there", () => repository.get("packages-Harbour.Moons.1.0.0"), 404, "was not found");

    const built = {
        spaceName: stage.space,
        BuildEnvironment: "GitHub Actions",
        BuildNumber: "17",
        BuildUrl: "https://build.example/17",
        Branch: "main",
        VcsType: "Git",
        VcsRoot: "https://code.example/harbour.git",
        VcsCommitNumber: "4f1c2a7",
        Packages: [{ Id: "Harbour.Charts", Version: "1.10.0" }],
        Commits: [{ Id: "4f1c2a7", Comment: "New soundings" }],
    };
    const information = stage.repository("BuildInformationRepository");
    await information.push(built);
    const stored = await stage.get("MappedOctopusPackageVersionBuildInformation[]", "/build-information{?packageId}", { packageId: "Harbour.Charts" });
    is.same("build information", stored.Items.length, 1);
    const { BuildEnvironment, BuildNumber, BuildUrl, Branch, VcsType, VcsRoot, VcsCommitNumber } = built;
    const truth = { PackageId: "Harbour.Charts", Version: "1.10.0", BuildEnvironment, BuildNumber, BuildUrl, Branch, VcsType, VcsRoot, VcsCommitNumber };
    is.fields("build information", stored.Items[0], truth);
    is.same("its commits", stored.Items[0].Commits.map((c) => [c.Id, c.Comment]), built.Commits.map((c) => [c.Id, c.Comment]));
    is.fields("the package knows it", (await repository.get("packages-Harbour.Charts.1.10.0")).PackageVersionBuildInformation, truth);
    await is.refused("build information again", () => information.push(built), undefined, duplicate);
    await information.push({ ...built, BuildNumber: "18" }, "OverwriteExisting");
    is.same("build information, replaced", (await repository.get("packages-Harbour.Charts.1.10.0")).PackageVersionBuildInformation.BuildNumber, "18");
    return "zip and nupkg packed, pushed, found; a duplicate refused, ignored, replaced; build information";
}

module.exports = { "push-package": pushPackage };
