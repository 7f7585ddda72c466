-- Falls of the LVEF by the limits of checks/lvef_limits.csv. Only patients with a number or word that can be one are
-- looked at: small tables first, so that the doses are not what is hashed.

-- weak_hearts: the patients with a low LVEF, a fall as large as the smallest of the limits, or an abnormal heart.
create or replace temp table weak_hearts as
select patient_key
from stg_cardiac_assessments
group by patient_key
having
    min(lvef_percent) < $lvef_low
    or max(lvef_percent) - min(lvef_percent) >= (select min(l.fall_from) from lvef_limits as l)
    or coalesce(bool_or(lvef_percent is null and result = 'abnormal'), false);

-- lvef_days: one row a day and method of such a patient, with the highest number; abnormal where there is none.
create or replace temp table lvef_days as
select
    a.patient_key,
    a.assessment_date,
    a.method,
    max(a.lvef_percent) as lvef_percent,
    coalesce(bool_or(a.result = 'abnormal'), false) as is_abnormal
from stg_cardiac_assessments as a
inner join weak_hearts as w on a.patient_key = w.patient_key
group by
    a.patient_key,
    a.assessment_date,
    a.method;

-- exposed_days: one row a day of those patients and setting of treatment, after the first dose of the setting.
-- last_dose_date: the last dose up to that day, null where it is longer ago than a course's gap.
create or replace temp table exposed_days as
with days as (
    select distinct
        l.patient_key,
        l.assessment_date,
        s.episode_key,
        s.setting,
        s.first_dose_date
    from lvef_days as l
    inner join fct_her2_settings as s on l.patient_key = s.patient_key
    where l.assessment_date > s.first_dose_date
)

select
    d.patient_key,
    d.assessment_date,
    d.episode_key,
    d.setting,
    d.first_dose_date,
    max(h.dose_date) as last_dose_date
from days as d
left join fct_her2_days as h
    on
        d.episode_key = h.episode_key
        and d.setting = h.setting
        and h.dose_date between d.assessment_date - $course_gap_days and d.assessment_date
group by
    d.patient_key,
    d.assessment_date,
    d.episode_key,
    d.setting,
    d.first_dose_date;

-- current_drugs: the drugs of the last dose day and of the days just before it. Where the fixed-dose combination is one
-- of them, its own limits, those of pertuzumab, stand for its trastuzumab too.
create or replace temp table current_drugs as
with given as (
    select
        e.episode_key,
        e.setting,
        e.assessment_date,
        d.ingredient,
        bool_or(d.dose_form = 'fixed') over (partition by e.episode_key, e.setting, e.assessment_date) as with_fixed
    from exposed_days as e
    inner join fct_doses as d
        on
            e.episode_key = d.episode_key
            and e.setting = d.setting
            and d.dose_date between e.last_dose_date - $together_days and e.last_dose_date
    inner join cardiac_drugs as c on d.ingredient = c.ingredient
)

select distinct
    episode_key,
    setting,
    assessment_date,
    ingredient
from given
where ingredient <> 'trastuzumab' or not coalesce(with_fixed, false);

-- lvef_numbers: one row a number on such a day, with the number before treatment that it is compared with: of the same
-- method; else, where a method is not recorded, of what may be the same one; else of another method.
-- compared: same, unknown, other or none (there is no number before treatment). fall: in points.
create or replace temp table lvef_numbers as
with baselines as (
    select
        s.episode_key,
        s.setting,
        b.method,
        b.assessment_date,
        b.lvef_percent
    from fct_her2_settings as s
    inner join lvef_days as b on s.patient_key = b.patient_key
    where
        b.lvef_percent is not null
        and b.assessment_date between s.first_dose_date - $lvef_baseline_days and s.first_dose_date
),

matched as (
    select
        e.patient_key,
        e.episode_key,
        e.setting,
        e.assessment_date,
        e.last_dose_date,
        l.method,
        l.lvef_percent,
        b.lvef_percent as baseline_percent,
        case
            when b.lvef_percent is null then 'none'
            when b.method = l.method then 'same'
            when b.method <> l.method then 'other'
            else 'unknown'
        end as compared,
        row_number() over (
            partition by e.episode_key, e.setting, e.assessment_date, l.method
            order by
                case when b.method = l.method then 0 when b.method <> l.method then 2 else 1 end,
                date_diff('day', b.assessment_date, e.assessment_date),
                b.lvef_percent
        ) as position
    from exposed_days as e
    inner join lvef_days as l on e.patient_key = l.patient_key and e.assessment_date = l.assessment_date
    left join baselines as b on e.episode_key = b.episode_key and e.setting = b.setting
    where l.lvef_percent is not null
)

select
    * exclude (position),
    round(baseline_percent - lvef_percent, 6) as fall
from matched
where position = 1;

-- lvef_marks: one row a number, reading of the labels and drug: does it meet the drug's limit to hold (and not merely
-- improve on one that did), does it meet the condition to resume. asks: it meets the limit, improved or not.
-- exposed: the drug was being given.
create or replace temp table lvef_marks as
with drugs_given as (
    select distinct
        episode_key,
        setting,
        ingredient
    from current_drugs
),

texts as (
    select
        t.text,
        t.written
    from (
        values
        ('label', 'every-label'),
        ('label', 'label'),
        ('older-label', 'every-label'),
        ('older-label', 'older-label'),
        ('hera', 'hera')
    ) as t (text, written)
),

limits as (
    select
        t.text,
        l.* exclude (text)
    from lvef_limits as l
    inner join texts as t on l.text = t.written
    where l.jurisdictions like '%' || $jurisdiction || '%'
),

weighed as (
    select
        n.patient_key,
        n.episode_key,
        n.setting,
        n.assessment_date,
        n.method,
        n.lvef_percent,
        n.baseline_percent,
        n.compared,
        n.last_dose_date,
        l.text,
        l.drug,
        coalesce(
            bool_or(
                l.kind = 'hold'
                and coalesce(n.lvef_percent >= l.lvef_from, l.lvef_from is null)
                and coalesce(n.lvef_percent <= l.lvef_to, l.lvef_to is null)
                and coalesce(n.lvef_percent < l.lvef_below, l.lvef_below is null)
                and coalesce(n.fall >= l.fall_from, l.fall_from is null)
                and coalesce(n.fall > l.fall_over, l.fall_over is null)
            ),
            false
        ) as meets,
        coalesce(
            bool_or(
                l.kind = 'resume'
                and l.improved is null
                and coalesce(n.lvef_percent >= l.lvef_from, l.lvef_from is null)
                and coalesce(n.lvef_percent > l.lvef_over, l.lvef_over is null)
                and coalesce(n.lvef_percent <= l.lvef_to, l.lvef_to is null)
                and coalesce(n.lvef_percent < l.lvef_below, l.lvef_below is null)
                and coalesce(n.fall <= l.fall_to, l.fall_to is null)
                and coalesce(n.fall < l.fall_below, l.fall_below is null)
            ),
            false
        ) as resumes,
        coalesce(bool_or(l.improved), false) as by_improvement
    from lvef_numbers as n
    inner join limits as l
        on
            l.setting in ('any', n.setting)
            and n.assessment_date >= coalesce(l.since, n.assessment_date)
            and n.assessment_date <= coalesce(l.until, n.assessment_date)
    inner join drugs_given as d
        on n.episode_key = d.episode_key and n.setting = d.setting and l.drug in ('any', d.ingredient)
    group by
        n.patient_key,
        n.episode_key,
        n.setting,
        n.assessment_date,
        n.method,
        n.lvef_percent,
        n.baseline_percent,
        n.compared,
        n.last_dose_date,
        l.text,
        l.drug
),

concerned as (
    select distinct
        episode_key,
        setting,
        text,
        drug
    from weighed
    where meets
),

compared_with_before as (
    select
        w.*,
        w.by_improvement
        and coalesce(lag(w.meets) over in_order and w.lvef_percent > lag(w.lvef_percent) over in_order, false)
            as improved
    from weighed as w
    inner join concerned as c
        on w.episode_key = c.episode_key and w.setting = c.setting and w.text = c.text and w.drug = c.drug
    window in_order as (
        partition by w.episode_key, w.setting, w.text, w.drug
        order by w.assessment_date, w.lvef_percent, w.method
    )
)

select
    m.patient_key,
    m.episode_key,
    m.setting,
    m.assessment_date,
    m.method,
    m.lvef_percent,
    m.baseline_percent,
    m.compared,
    m.text,
    m.drug,
    m.meets as asks,
    m.meets and not m.improved as meets,
    m.resumes
    or m.improved
    or (not m.meets and (m.by_improvement or m.baseline_percent is null)) as resumes,
    m.last_dose_date is not null and (m.drug = 'any' or c.ingredient is not null) as exposed
from compared_with_before as m
left join current_drugs as c
    on
        m.episode_key = c.episode_key
        and m.setting = c.setting
        and m.assessment_date = c.assessment_date
        and m.drug = c.ingredient;

-- fct_lvef_falls: one row a significant fall of the LVEF on treatment, by each text of the limits, in one setting.
-- It begins with the first number that meets the limit of a drug being given, not measured by another method than the
-- number before treatment, and ends on the day of the first later one that meets the drug's condition to resume; falls
-- of several drugs that overlap are one. recovered_date: null where it has not ended. lasting_date: the first number
-- after more than the limit of persistence that still meets it; clear_date: the first later one that meets no limit of
-- the drugs of the fall.
-- known_methods: false where the method of its first number, or of the number before treatment, is missing, whatever a
-- later number of another drug's fall was measured by. last_dose_date: up to the action days, and next_dose_date after
-- them; early_dose_date: the first dose after them before recovery that is neither a course's date alone nor
-- in_sequence. early_derived: one of these puts a dose there. next_derived: one of these alone tells of the next dose.
-- unended: a course without an end that began by the action days, or a regimen's name that stands once, on the last day
-- of all: doses may have been given on days that nobody wrote down.
create or replace table fct_lvef_falls as
with states as (
    select
        *,
        compared <> 'other' and meets as low,
        case
            when exposed and compared <> 'other' and meets then 1
            when resumes and not meets then 0
        end as state
    from lvef_marks
),

placed as (
    select
        *,
        case state when 1 then 0 when 0 then 1 else 2 end as place_on_day
    from states
),

ordered as (
    select
        *,
        last_value(state ignore nulls) over (
            partition by episode_key, setting, text, drug
            order by assessment_date, place_on_day, lvef_percent, method
            rows between unbounded preceding and 1 preceding
        ) as state_before
    from placed
),

numbered as (
    select
        *,
        sum(case when state = 1 and coalesce(state_before, 0) = 0 then 1 else 0 end) over (
            partition by episode_key, setting, text, drug
            order by assessment_date, place_on_day, lvef_percent, method
            rows between unbounded preceding and current row
        ) as island
    from ordered
),

begun as (
    select
        *,
        min(assessment_date) over (partition by episode_key, setting, text, drug, island) as from_date
    from numbered
    where island > 0
),

islands as (
    select
        patient_key,
        episode_key,
        setting,
        text,
        drug,
        island,
        from_date,
        min(assessment_date) filter (where state = 0) as recovered_date,
        min(assessment_date) filter (
            where low and compared <> 'unknown' and assessment_date > from_date + $lvef_persistent_days
        ) as low_later_date,
        min(lvef_percent) filter (where assessment_date = from_date and low) as lvef_percent,
        max(baseline_percent) filter (where assessment_date = from_date and low) as baseline_percent,
        max(method) filter (where assessment_date = from_date and low) as method,
        coalesce(bool_or(compared <> 'unknown') filter (where assessment_date = from_date and low), false)
            as known_methods
    from begun
    group by
        patient_key,
        episode_key,
        setting,
        text,
        drug,
        island,
        from_date
),

reached as (
    select
        *,
        coalesce(recovered_date, date '9999-12-31') as through_date,
        max(coalesce(recovered_date, date '9999-12-31')) over (
            partition by episode_key, setting, text
            order by from_date, drug
            rows between unbounded preceding and 1 preceding
        ) as reached_before
    from islands
),

merged as (
    select
        *,
        sum(case when from_date >= coalesce(reached_before, from_date) then 1 else 0 end) over (
            partition by episode_key, setting, text
            order by from_date, drug
            rows between unbounded preceding and current row
        ) as fall_number
    from reached
),

started as (
    select
        *,
        min(from_date) over (partition by episode_key, setting, text, fall_number) as fall_from_date
    from merged
),

falls as (
    select
        patient_key,
        episode_key,
        setting,
        text,
        fall_number,
        min(from_date) as from_date,
        nullif(max(through_date), date '9999-12-31') as recovered_date,
        min(low_later_date) filter (where low_later_date < through_date) as lasting_date,
        min(lvef_percent) filter (where from_date = fall_from_date) as lvef_percent,
        max(baseline_percent) filter (where from_date = fall_from_date) as baseline_percent,
        max(method) filter (where from_date = fall_from_date) as method,
        coalesce(bool_or(known_methods) filter (where from_date = fall_from_date), false) as known_methods,
        bool_or(drug = 'trastuzumab') as with_trastuzumab,
        list_sort(list(distinct drug)) as drugs
    from started
    group by
        patient_key,
        episode_key,
        setting,
        text,
        fall_number
),

later_numbers as (
    select
        f.episode_key,
        f.setting,
        f.text,
        f.fall_number,
        m.assessment_date,
        bool_or(m.asks) as asks
    from falls as f
    inner join lvef_marks as m
        on
            f.episode_key = m.episode_key
            and f.setting = m.setting
            and f.text = m.text
            and f.from_date < m.assessment_date
            and list_contains(f.drugs, m.drug)
    group by
        f.episode_key,
        f.setting,
        f.text,
        f.fall_number,
        m.assessment_date,
        m.method
),

clear as (
    select
        episode_key,
        setting,
        text,
        fall_number,
        min(assessment_date) as clear_date
    from later_numbers
    where not asks
    group by
        episode_key,
        setting,
        text,
        fall_number
),

doses as (
    select
        f.episode_key,
        f.setting,
        f.text,
        f.fall_number,
        max(case when h.dose_date <= f.from_date + $lvef_action_days then h.dose_date end) as last_dose_date,
        min(case when h.dose_date > f.from_date + $lvef_action_days then h.dose_date end) as next_dose_date,
        min(
            case
                when h.dose_date > f.from_date + $lvef_action_days and not (h.derived or h.in_sequence) then h.dose_date
            end
        ) as next_known_date,
        min(
            case
                when
                    h.dose_date > f.from_date + $lvef_action_days
                    and h.dose_date < coalesce(f.recovered_date, date '9999-12-31')
                    and not (h.derived or h.in_sequence) then h.dose_date
            end
        ) as early_dose_date,
        coalesce(
            bool_or(
                h.dose_date > f.from_date + $lvef_action_days
                and h.dose_date < coalesce(f.recovered_date, date '9999-12-31')
                and (h.derived or h.in_sequence)
            ),
            false
        ) as early_derived,
        bool_or(h.open_course and h.dose_date <= f.from_date + $lvef_action_days) as open_course
    from falls as f
    inner join fct_her2_days as h
        on
            f.episode_key = h.episode_key
            and (
                f.setting = h.setting
                -- Metastases found meanwhile make no new treatment of what goes on within a course's gap.
                or h.dose_date between f.from_date and f.from_date + $course_gap_days
            )
    group by
        f.episode_key,
        f.setting,
        f.text,
        f.fall_number
)

select
    f.* exclude (fall_number),
    row_number() over (partition by f.episode_key, f.text order by f.from_date, f.setting) as fall_number,
    c.clear_date,
    s.named_last or d.open_course as unended,
    s.in_trial,
    d.last_dose_date,
    d.next_dose_date,
    d.early_dose_date,
    d.early_derived,
    coalesce(d.next_known_date > d.next_dose_date, d.next_dose_date is not null) as next_derived
from falls as f
inner join fct_her2_settings as s on f.episode_key = s.episode_key and f.setting = s.setting
inner join doses as d
    on
        f.episode_key = d.episode_key
        and f.setting = d.setting
        and f.text = d.text
        and f.fall_number = d.fall_number
left join clear as c
    on
        f.episode_key = c.episode_key
        and f.setting = c.setting
        and f.text = c.text
        and f.fall_number = c.fall_number
where f.from_date <= s.last_dose_date;
