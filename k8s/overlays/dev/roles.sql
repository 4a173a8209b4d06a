-- Run once, as the owner, in an empty data folder: the role of the pods.
create role postel_app nologin;
create role postel login password 'dev' in role postel_app;
