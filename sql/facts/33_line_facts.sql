-- fct_metastatic_episodes: one row an episode with metastatic disease, treated for it or not, on its index tumour.
-- metastatic_date: null where metastatic at an unknown diagnosis date.
create or replace table fct_metastatic_episodes as
select
    m.patient_key,
    m.episode_key,
    t.tumour_id,
    t.site_id,
    t.invasive,
    t.her2_status,
    r.hr_status,
    m.diagnosis_date,
    case when m.metastatic_date > date '0001-01-01' then m.metastatic_date end as metastatic_date,
    case when m.de_novo then 'de-novo' else 'recurrence' end as disease,
    c.last_her2_date,
    c.full_months as interval_months,
    case when m.de_novo then 'de-novo' else coalesce(c.clock, 'no-her2') end as clock,
    p.observable_through,
    p.death_date
from metastatic_episodes as m
inner join fct_tumours as t on m.patient_key = t.patient_key and m.episode_key = t.episode_key and t.is_index
inner join fct_hormone_receptors as r on t.patient_key = r.patient_key and t.tumour_id = r.tumour_id
inner join stg_patients as p on m.patient_key = p.patient_key
left join fct_recurrence_clock as c on m.episode_key = c.episode_key;

-- line_her2: one row a line: HER2 by the newest sample of a metastasis taken by the end of its join window; with none,
-- the status before treatment. What is not known for certain is unknown, and so is a positive status where a node
-- sampled later, in metastatic disease, was negative.
create or replace temp table line_her2 as
with samples as (
    select
        l.episode_key,
        l.line_number,
        m.specimen_date,
        case
            when bool_or(m.result = 'positive') then 'positive'
            when bool_or(m.result = 'equivocal') then 'equivocal'
            else 'negative'
        end as result
    from line_spans as l
    inner join fct_episodes as e on l.episode_key = e.episode_key
    inner join fct_specimens as m on e.patient_key = m.patient_key and e.tumour_id = m.tumour_id
    where
        m.specimen_site = 'metastasis'
        and m.result is not null
        and m.specimen_date <= l.start_date + $line_join_days
    group by
        l.episode_key,
        l.line_number,
        m.specimen_date
),

-- A node sampled once the disease is metastatic, and later than at diagnosis, may be a metastasis.
negative_nodes as (
    select
        l.episode_key,
        l.line_number,
        max(n.specimen_date) as specimen_date
    from line_spans as l
    inner join fct_metastatic_episodes as m on l.episode_key = m.episode_key
    inner join fct_episodes as e on l.episode_key = e.episode_key
    inner join fct_specimens as n on e.patient_key = n.patient_key and e.tumour_id = n.tumour_id
    where
        n.specimen_site = 'node'
        and n.result = 'negative'
        and n.specimen_date
        > coalesce(
            m.metastatic_date + case when m.disease = 'de-novo' then $distant_at_diagnosis_days else -1 end,
            date '0001-01-01'
        )
        and n.specimen_date <= l.start_date + $line_join_days
    group by
        l.episode_key,
        l.line_number
),

-- M1 stands on a HER2-negative tumour of the episode and not on its index tumour: of which one they are is not known.
other_origins as (
    select distinct m.episode_key
    from fct_metastatic_episodes as m
    inner join stg_tumours as i on m.patient_key = i.patient_key and m.tumour_id = i.tumour_id
    inner join fct_tumours as t on m.episode_key = t.episode_key
    inner join stg_tumours as o on t.patient_key = o.patient_key and t.tumour_id = o.tumour_id
    where coalesce(i.clinical_m, '0') <> '1' and o.clinical_m = '1' and t.her2_status = 'negative'
),

newest as (
    select
        episode_key,
        line_number,
        max(specimen_date) as her2_specimen_date,
        arg_max(result, specimen_date) as result
    from samples
    group by
        episode_key,
        line_number
)

select
    l.episode_key,
    l.line_number,
    n.her2_specimen_date,
    case
        when coalesce(n.result, m.her2_status) = 'negative' then 'negative'
        when
            coalesce(n.result, m.her2_status) = 'positive'
            and coalesce(s.specimen_date <= n.her2_specimen_date, s.specimen_date is null)
            and (n.result is not null or x.episode_key is null)
            then 'positive'
        else 'unknown'
    end as her2_at_line
from line_spans as l
inner join fct_metastatic_episodes as m on l.episode_key = m.episode_key
left join newest as n on l.episode_key = n.episode_key and l.line_number = n.line_number
left join negative_nodes as s on l.episode_key = s.episode_key and l.line_number = s.line_number
left join other_origins as x on l.episode_key = x.episode_key;

-- fct_lines: one row a line of systemic treatment of metastatic disease, with all that a rule asks of it.
-- counts_as: the line's number by the guideline, which takes the first line of an early relapse for the second.
-- began_by: first, progression, gap or drug-change; ended_by: the same where another line follows, else progression,
-- death, toxicity, patient-refusal, completed, ongoing or stopped (no reason on record).
-- certainty: low where this line or one before it rests on a change of drugs without a progression on record;
-- number_certain: nothing of that up to the line's start.
-- progression_date, last_progression_date: the first and last on record from the line's start to the next line's.
-- drugs: all given in the line; first_drugs: those begun in its join window, which the regimen is named by.
create or replace table fct_lines as
with late_drugs as (
    select
        d.episode_key,
        d.line_number
    from fct_line_drugs as d
    left join fct_line_drugs as o
        on
            d.episode_key = o.episode_key
            and d.line_number = o.line_number
            and d.first_date > o.first_date
            and (d.ingredient = 'docetaxel-or-paclitaxel' or o.ingredient = 'docetaxel-or-paclitaxel')
            and d.ingredient in ('docetaxel', 'paclitaxel', 'docetaxel-or-paclitaxel')
            and o.ingredient in ('docetaxel', 'paclitaxel', 'docetaxel-or-paclitaxel')
    where d.is_joined and (d.is_her2 or d.is_cytotoxic) and o.ingredient is null
    group by
        d.episode_key,
        d.line_number
),

contents as (
    select
        episode_key,
        line_number,
        max(last_date) as last_dose_date,
        list_sort(list(ingredient)) as drugs,
        list_sort(list(ingredient) filter (where not is_joined)) as first_drugs,
        bool_or(is_her2) as has_her2,
        bool_or(is_cytotoxic) as has_cytotoxic,
        bool_or(is_endocrine) as has_endocrine,
        bool_or(is_her2_conjugate) as has_conjugate,
        bool_or(in_trial) as in_trial,
        count(*) filter (where not is_joined) as size,
        count(*) filter (where not is_joined and is_taxane) as taxanes,
        count(*) filter (where not is_joined and is_cytotoxic) as cytotoxics,
        count(*) filter (where not is_joined and is_endocrine) as endocrines,
        count(*) filter (where not is_joined and ingredient = 'trastuzumab') as trastuzumab,
        count(*) filter (where not is_joined and ingredient = 'pertuzumab') as pertuzumab,
        count(*) filter (where not is_joined and ingredient = 'margetuximab') as margetuximab,
        count(*) filter (where not is_joined and ingredient = 'tucatinib') as tucatinib,
        count(*) filter (where not is_joined and ingredient = 'capecitabine') as capecitabine
    from fct_line_drugs
    group by
        episode_key,
        line_number
),

named as (
    select
        *,
        case
            when size = 3 and trastuzumab + pertuzumab + taxanes = size and taxanes = 1
                then 'taxane + trastuzumab + pertuzumab (THP)'
            when size = 3 and trastuzumab + tucatinib + capecitabine = size
                then 'tucatinib + capecitabine + trastuzumab'
            when cytotoxics = size then 'chemotherapy alone'
            when endocrines = size then 'endocrine therapy alone'
            when trastuzumab = 1 and cytotoxics > 0 and trastuzumab + cytotoxics = size
                then 'trastuzumab + chemotherapy'
            when margetuximab = 1 and cytotoxics > 0 and margetuximab + cytotoxics = size
                then 'margetuximab + chemotherapy'
            when trastuzumab = 1 and endocrines > 0 and trastuzumab + endocrines = size
                then 'trastuzumab + endocrine therapy'
            when endocrines > 0 and trastuzumab = 1 and pertuzumab = 1 and endocrines + trastuzumab + pertuzumab = size
                then 'trastuzumab + pertuzumab + endocrine therapy'
            else array_to_string(first_drugs, ' + ')
        end as regimen
    from contents
),

progressed as (
    select
        s.episode_key,
        s.line_number,
        min(p.progression_date) as progression_date,
        max(p.progression_date) as last_progression_date
    from line_spans as s
    inner join line_progressions as p
        on
            s.episode_key = p.episode_key
            and p.progression_date <= coalesce(s.next_start_date, date '9999-12-31')
    where
        (p.kind = 'event' and p.progression_date > s.start_date)
        or (
            p.kind = 'relapse'
            and p.progression_date > s.start_date + case when s.line_number = 1 then $line_join_days else 0 end
        )
        or (p.kind = 'stop' and p.progression_date >= s.start_date)
    group by
        s.episode_key,
        s.line_number
),

endings as (
    select
        n.episode_key,
        n.line_number,
        bool_or(d.open_course) as open_course,
        max(d.stop_reason) filter (
            where d.stop_reason in ('toxicity', 'patient-refusal', 'completed', 'death')
        ) as stop_reason
    from named as n
    inner join fct_line_drugs as d
        on n.episode_key = d.episode_key and n.line_number = d.line_number and n.last_dose_date = d.last_date
    group by
        n.episode_key,
        n.line_number
),

exposure as (
    select
        episode_key,
        line_number,
        list_sort(list(ingredient)) as prior_her2,
        count(distinct her2_class) filter (where in_early_disease) as early_her2_classes
    from fct_prior_her2
    group by
        episode_key,
        line_number
),

gathered as (
    select
        s.patient_key,
        s.episode_key,
        m.tumour_id,
        m.site_id,
        s.line_number,
        s.start_date,
        s.began_by,
        s.next_start_date,
        s.next_began_by,
        n.last_dose_date,
        n.drugs,
        n.first_drugs,
        n.regimen,
        n.has_her2,
        n.has_cytotoxic,
        n.has_endocrine,
        n.has_conjugate,
        n.in_trial,
        g.progression_date,
        g.last_progression_date,
        d.open_course,
        d.stop_reason,
        m.disease,
        m.diagnosis_date,
        m.metastatic_date,
        m.last_her2_date,
        m.interval_months,
        m.clock,
        coalesce(x.prior_her2, []) as prior_her2,
        coalesce(x.early_her2_classes, 0) as early_her2_classes,
        coalesce(
            sum(case when n.has_her2 then 1 else 0 end) over (
                partition by s.episode_key
                order by s.line_number
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as prior_metastatic_regimens,
        coalesce(
            bool_or(s.began_by in ('gap', 'drug-change') or a.line_number is not null) over (
                partition by s.episode_key
                order by s.line_number
                rows between unbounded preceding and current row
            ),
            false
        )
        or coalesce(s.next_began_by in ('gap', 'drug-change'), false)
        or not $events_linked as is_uncertain,
        not coalesce(
            bool_or(s.began_by in ('gap', 'drug-change'))
                over (
                    partition by s.episode_key
                    order by s.line_number
                    rows between unbounded preceding and current row
                )
            or bool_or(a.line_number is not null) over (
                partition by s.episode_key
                order by s.line_number
                rows between unbounded preceding and 1 preceding
            ),
            false
        )
        and $events_linked as number_certain,
        h.her2_at_line,
        h.her2_specimen_date,
        m.invasive,
        m.hr_status,
        p.observable_through,
        p.death_date
    from line_spans as s
    inner join named as n on s.episode_key = n.episode_key and s.line_number = n.line_number
    left join late_drugs as a on s.episode_key = a.episode_key and s.line_number = a.line_number
    inner join fct_metastatic_episodes as m on s.episode_key = m.episode_key
    inner join line_her2 as h on s.episode_key = h.episode_key and s.line_number = h.line_number
    inner join stg_patients as p on s.patient_key = p.patient_key
    inner join endings as d on s.episode_key = d.episode_key and s.line_number = d.line_number
    left join progressed as g on s.episode_key = g.episode_key and s.line_number = g.line_number
    left join exposure as x on s.episode_key = x.episode_key and s.line_number = x.line_number
),

ended as (
    select
        *,
        case
            when next_began_by is not null then next_began_by
            when last_progression_date >= last_dose_date - $line_join_days then 'progression'
            when stop_reason = 'death' or death_date <= last_dose_date + $open_course_days then 'death'
            when stop_reason is not null then stop_reason
            when open_course or last_dose_date + $open_course_days >= observable_through then 'ongoing'
            else 'stopped'
        end as ended_by
    from gathered
)

select
    patient_key,
    episode_key,
    tumour_id,
    site_id,
    line_number,
    line_number + case when clock in ('early', 'grey-zone') then 1 else 0 end as counts_as,
    start_date,
    last_dose_date,
    next_start_date,
    case when ended_by <> 'ongoing' then last_dose_date end as end_date,
    began_by,
    ended_by,
    case when is_uncertain then 'low' else 'stated' end as certainty,
    number_certain,
    regimen,
    drugs,
    first_drugs,
    has_her2,
    has_cytotoxic,
    has_endocrine,
    has_conjugate,
    in_trial,
    progression_date,
    last_progression_date,
    disease,
    diagnosis_date,
    metastatic_date,
    last_her2_date,
    interval_months,
    clock,
    prior_her2,
    cast(prior_metastatic_regimens as integer) as prior_metastatic_regimens,
    cast(prior_metastatic_regimens + early_her2_classes as integer) as prior_her2_regimens,
    her2_at_line,
    her2_specimen_date,
    hr_status,
    case
        when not invasive then 'in-situ'
        when her2_at_line = 'negative' then 'her2-negative'
        when her2_at_line = 'unknown' then 'her2-unknown'
    end as outside_metastatic_her2,
    observable_through,
    death_date
from ended;

-- fct_line_numbers: one row a line and reading of how soon a relapse is an early one: within the guideline's twelve
-- months or the labels' six; the first line of an early relapse counts as the second.
create or replace table fct_line_numbers as
with readings (early_relapse) as (
    values ('12-months'), ('6-months')
),

relapses as (
    select
        l.patient_key,
        l.episode_key,
        l.line_number,
        r.early_relapse,
        l.clock = 'early' or (l.clock = 'grey-zone' and r.early_relapse = '12-months') as relapsed_early
    from fct_lines as l
    cross join readings as r
)

select
    patient_key,
    episode_key,
    line_number,
    early_relapse,
    relapsed_early,
    line_number + case when relapsed_early then 1 else 0 end as counts_as_line
from relapses;

-- fct_cns: one row a patient with a sign of disease in the brain: the day of the first one.
-- Apart from fct_lines, so that only rules that ask for it read radiotherapy.
create or replace table fct_cns as
with signs as (
    select
        patient_key,
        event_date as seen_date
    from stg_events
    where site = 'brain' and event in ('distant_metastasis', 'progression')
    union all
    select
        patient_key,
        start_date as seen_date
    from stg_radiotherapy
    where target = 'brain' and start_date is not null
)

select
    patient_key,
    min(seen_date) as cns_date
from signs
group by patient_key;
